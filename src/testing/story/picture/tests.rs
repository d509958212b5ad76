use {
    super::{
        super::tests::{at_line, event, poison, story, struck},
        page::escaped_lines,
        *,
    },
    roxmltree::{Document, Node},
};

/// The page as XML: void elements are closed for its reader.
fn xml(html: &str) -> String {
    let page = html
        .replace("<!doctype html>", "")
        .replace("<meta charset=\"utf-8\">", "");
    page.replace(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
        "",
    )
}

fn drawn(events: &[Event]) -> String {
    svg(events, "it does not hold that all is well")
}

/// All elements of a class, with the whole text of each.
fn of_class<'a, 'input>(document: &'a Document<'input>, class: &str) -> Vec<(Node<'a, 'input>, String)> {
    let is_it = |node: &Node<'_, '_>| {
        let classes = node.attribute("class").unwrap_or_default();
        classes.split(' ').any(|it| it == class)
    };
    let text = |node: Node<'_, '_>| {
        let texts = node.descendants().filter(Node::is_text);
        texts.filter_map(|it| it.text()).collect()
    };
    let nodes = document.descendants().filter(is_it);
    nodes.map(|node| (node, text(node))).collect()
}

fn names(events: &[Event]) -> Vec<String> {
    let svg = drawn(events);
    let document = Document::parse(&svg).unwrap();
    of_class(&document, "name").into_iter().map(|it| it.1).collect()
}

const NASTY: &str = "<script>alert(\"x\")</script> & 'y' \u{0}\u{ffff}\u{1b}[31m";

#[test]
fn markup_in_any_text_is_shown_as_text() {
    let mut nasty = event(0, NASTY, EventKind::Send, &format!("sends m1 {NASTY}"));
    nasty.queue = Some(NASTY.into());
    nasty.messages = vec![NASTY.to_owned(), "m1".to_owned()];
    let mut story = story(vec![
        nasty.clone(),
        Event {
            kind: EventKind::Time,
            ..nasty
        },
    ]);
    story.violation = NASTY.to_owned();
    story.replay = NASTY.to_owned();
    let html = page(&story, NASTY, Some(NASTY));
    assert!(
        !html.contains("<script") && !html.contains("alert(\""),
        "markup got through"
    );
    assert!(html.contains("<h1>&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;"));
    let xml = xml(&html);
    let document = Document::parse(&xml).unwrap();
    let heading = document.descendants().find(|it| it.has_tag_name("h1")).unwrap();
    assert_eq!(heading.text(), Some("<script>alert(\"x\")</script> & 'y'    [31m"));
}

#[test]
fn a_page_is_self_contained_small_and_follows_light_and_dark() {
    let html = story(poison(11_520)).to_html("poison");
    for absent in ["<script", "<link", "src=", "@import", "url(", "href="] {
        assert!(!html.contains(absent), "{absent}");
    }
    // Its only address is the name of what SVG is.
    assert_eq!(
        (html.matches("http").count(), html.matches("<svg xmlns=\"http").count()),
        (1, 1)
    );
    assert!(html.contains("@media (prefers-color-scheme:dark)"));
    assert!(html.contains("<div class=\"scroll\" role=\"region\" aria-label=\"Picture\" tabindex=\"0\">\n<svg"));
    assert!(html.contains(".scroll{overflow-x:auto"));
    assert!(html.len() < 10_000, "{}", html.len());
    assert!(html.is_ascii());
    Document::parse(&xml(&html)).unwrap();
}

#[test]
fn a_page_says_what_was_violated_how_to_see_it_again_and_the_story_as_text() {
    let story = story(poison(2));
    let html = page(&story, "poison", Some("also with: DeleteFails"));
    let violated = "violated: it does not hold that no order is charged twice";
    assert!(html.contains(&format!("<p class=\"violated\">{violated}</p>")));
    // At the top, below the last event, and in the text.
    assert_eq!(html.matches(violated).count(), 3);
    assert!(
        html.contains("<p class=\"small\">replay: seed 0, case 1</p>\n<p class=\"small\">also with: DeleteFails</p>")
    );
    let text = escaped_lines(&story.to_string());
    assert!(html.contains(&format!("<pre>{text}</pre>")));
}

#[test]
fn lanes_are_in_the_order_of_their_first_mention_and_none_is_the_clocks() {
    let jump = event(0, "clock", EventKind::Time, "jumps");
    let note = event(0, "charger", EventKind::Note, "charges 5 EUR");
    let sent = event(0, "producer", EventKind::Send, "sends m1 \"5 EUR\"");
    let expired = event(0, "queue", EventKind::Expire, "m1 expires");
    assert_eq!(
        names(&[jump.clone(), note, sent, expired.clone()]),
        ["charger", "producer", "orders"]
    );
    assert_eq!(names(&[expired]), ["orders"]);
    assert!(names(&[jump]).is_empty() && names(&[]).is_empty());
    let mut same = event(0, "orders", EventKind::Receive, "receives m1");
    assert_eq!(
        names(&[same.clone()]),
        ["orders", "orders"],
        "a consumer may be named as its queue"
    );
    same.queue = None;
    assert_eq!(names(&[same]), ["orders"]);
}

#[test]
fn an_arrow_goes_from_who_gives_to_who_gets() {
    let to_the_right = |kind| {
        let first = event(0, "c", EventKind::Send, "sends m1");
        let svg = drawn(&[first, event(0, "c", kind, "")]);
        let document = Document::parse(&svg).unwrap();
        let arrows = of_class(&document, "a");
        let path = arrows.get(1)?.0.attribute("d")?.strip_prefix('M')?;
        let (from, to) = (path.split_once(' ')?.0, path.split_once('H')?.1);
        Some(from.parse::<i32>().ok()? < to.parse::<i32>().ok()?)
    };
    for kind in [EventKind::Send, EventKind::Delete, EventKind::Visibility] {
        assert_eq!(to_the_right(kind), Some(true), "{kind:?}");
    }
    assert_eq!(to_the_right(EventKind::Receive), Some(false));
    for kind in [EventKind::Finish, EventKind::Note, EventKind::Death, EventKind::Other] {
        assert_eq!(to_the_right(kind), None, "{kind:?}");
    }
}

#[test]
fn every_fault_is_red_and_named_and_what_is_lost_does_not_arrive() {
    let mut lost = Vec::new();
    for fault in Fault::ALL {
        let told = event(0, "c", EventKind::Delete, "deletes m1");
        let svg = drawn(&[struck(fault, told)]);
        let document = Document::parse(&svg).unwrap();
        let labels = of_class(&document, "f");
        assert_eq!(labels[0].1, format!("\u{2190} {fault}"));
        let arrow = &of_class(&document, "a")[0].0;
        assert!(arrow.attribute("class").unwrap().starts_with("a bad"));
        if !of_class(&document, "x").is_empty() {
            lost.push(fault.to_string());
        }
    }
    let expected = "ReceiveResponseLost ReceiveThrottled OverLimit DeleteFails VisibilityFails BatchEntryFails SendThrottled Outage";
    assert_eq!(lost.join(" "), expected);
}

#[test]
fn a_message_has_its_colour_wherever_it_is_named_but_in_a_body() {
    let events = [
        event(0, "producer", EventKind::Send, "sends m2 \"m2 m3\""),
        event(0, "c", EventKind::Receive, "receives m2, m3"),
        event(0, "c", EventKind::Finish, "works on m2: ok, m3: failed (m30)"),
    ];
    let svg = drawn(&events);
    let document = Document::parse(&svg).unwrap();
    let told = |class| {
        let named = of_class(&document, class).into_iter();
        named
            .filter(|it| it.0.has_tag_name("tspan"))
            .map(|it| it.1)
            .collect::<Vec<_>>()
    };
    assert_eq!(told("c1"), ["m2"; 3]);
    assert_eq!(told("c2"), ["m3"; 2]);
    assert_eq!(colour_of("m8"), "c1");
    assert_eq!(colour_of("an unknown message"), "");
    let label = of_class(&document, "m")[0].0.parent().unwrap();
    let texts = label.descendants().filter(Node::is_text);
    let text: String = texts.filter_map(|it| it.text()).collect();
    assert_eq!(text, "sends m2 \"m2 m3\"");
}

#[test]
fn a_cycle_is_one_row_and_the_time_goes_on_from_its_end() {
    let svg = drawn(&poison(100));
    let document = Document::parse(&svg).unwrap();
    let strips: Vec<_> = of_class(&document, "s").into_iter().map(|it| it.1).collect();
    assert_eq!(strips, ["and so on every 30 s, 100 times in all, until 49:30.000"]);
    assert_eq!(of_class(&document, "cycle").len(), 1);
    let times: Vec<_> = of_class(&document, "t").into_iter().map(|it| it.1).collect();
    assert_eq!(times, ["0:00.000", "+ 30 s", "50:00.000"]);
}

#[test]
fn of_too_many_rows_the_middle_is_left_out() {
    let count = 3_000;
    let at_odd_times = |it: u64| event(it * it, "c", EventKind::Other, &format!("acts {}", it * it * it));
    let svg = drawn(&(0..count).map(at_odd_times).collect::<Vec<_>>());
    let document = Document::parse(&svg).unwrap();
    let strips: Vec<_> = of_class(&document, "s").into_iter().map(|it| it.1).collect();
    assert_eq!(strips, ["... 2600 rows left out"]);
    assert_eq!(
        svg.matches("<g><title>").count(),
        MOST_ROWS + 2,
        "two heads, one above and one below"
    );
    assert!(
        svg.contains("acts 26973008999<") && svg.len() < 120_000,
        "{}",
        svg.len()
    );
}

#[test]
fn a_long_text_is_cut_in_the_picture_and_whole_in_the_text() {
    let body = "x".repeat(10_000);
    let html = story(vec![event(0, "c", EventKind::Send, &format!("sends m1 \"{body}\""))]).to_html("long");
    assert_eq!(html.matches(&body).count(), 1);
    assert_eq!(html.matches("xx..").count(), 2, "label and tooltip");
}

#[test]
fn a_tooltip_tells_the_place() {
    let svg = drawn(&[at_line(42, event(61_000, "c", EventKind::Delete, "deletes m1"))]);
    assert!(
        svg.contains("<title>1:01.000 c deletes m1 (orders.rs:42)</title>"),
        "{svg}"
    );
}
