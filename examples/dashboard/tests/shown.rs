//! What the page shows of a queue and of a message, and what it deletes by a filter.

use {
    super::{
        Site, World,
        browser::Browser,
        page::{is_visible, shop},
    },
    requeue::worker::{Job, Runner},
    serde_json::Value,
};

#[test]
fn a_deletion_has_the_filter_of_the_list() {
    let Some(mut browser) = Browser::start("a_deletion_has_the_filter_of_the_list") else {
        return;
    };
    let (world, jobs, _failed) = shop();
    let site = world.site();
    let notes = "document.getElementById('notes').innerText";
    for (query, listed, said) in [
        ("group=", "0 messages, of 100", "The filter selects no message."),
        ("text=job+1&bogus=1", "unknown field `bogus`", "unknown field `bogus`"),
        ("phase=", "unknown variant", "unknown variant"),
    ] {
        browser.open(&format!("{}#/queue/jobs?{query}", site.url()));
        browser.until(&format!(
            "document.getElementById('found').innerText.includes({listed:?})"
        ));
        browser.click("#delete-matching");
        browser.until(&format!("{notes}.includes({said:?})"));
        assert_eq!(
            browser.eval("document.getElementById('dialog')"),
            Value::Null,
            "{query}"
        );
    }
    // What is typed and not yet searched for.
    browser.open(&format!("{}#/queue/jobs?group=hooli&sort=newest&page=1", site.url()));
    browser.until(&is_visible("job 1"));
    browser.eval(
        "(() => { const field = document.querySelector('[name=text]'); field.value = 'job 99'; \
         field.dispatchEvent(new Event('input', { bubbles: true })); \
         document.getElementById('delete-matching').click(); })()",
    );
    browser.until("document.getElementById('dialog')?.innerText.includes('1 message (group: hooli; body or id contains: job 99)')");
    browser.click("#dialog-submit");
    browser.until("document.querySelector('.figures dd').innerText === '99'");
    assert_eq!(jobs.counts().visible, 99);
}

#[test]
fn a_group_that_is_none_stays_in_the_filter() {
    let Some(mut browser) = Browser::start("a_group_that_is_none_stays_in_the_filter") else {
        return;
    };
    let world = World::new();
    let jobs = world.queue("jobs");
    jobs.send("job 1").unwrap();
    jobs.send(requeue::SendMessage::new("job 12").message_group_id("acme"))
        .unwrap();
    let site = world.site();
    browser.open(&format!("{}#/queue/jobs?group=", site.url()));
    browser.until(&is_visible("job 1"));
    browser.click("[name=text]");
    browser.enter("job");
    browser.until("location.hash.includes('text=job')");
    assert_eq!(browser.eval("location.hash"), "#/queue/jobs?group=&text=job");
    browser.until("document.getElementById('found').innerText === '1\u{2013}1 of 1 message, of 2 in the queue'");
}

#[test]
fn a_queue_that_the_overview_leaves_out_is_shown() {
    let Some(mut browser) = Browser::start("a_queue_that_the_overview_leaves_out_is_shown") else {
        return;
    };
    let world = World::new();
    let others: Vec<_> = (0..200).map(|number| world.queue(&format!("a-{number}"))).collect();
    let last = world.queue("z-last");
    last.send("job 1").unwrap();
    let site = world.site();
    browser.open(&format!("{}#/queue/z-last", site.url()));
    browser.until(&is_visible("job 1"));
    browser.until("document.querySelector('.figures dd').innerText === '1'");
    browser.click("#purge");
    browser.until("document.getElementById('dialog')?.innerText.includes('1 message')");
    browser.click("#dialog-submit");
    browser.until("document.getElementById('found').innerText === '0 messages'");
    assert_eq!(last.counts().visible, 0);
    last.send("job 2").unwrap();
    world.clock.advance(std::time::Duration::from_secs(6));
    browser.until(&is_visible("job 2"));
    last.delete_queue().unwrap();
    world.clock.advance(std::time::Duration::from_secs(6));
    browser.until("document.querySelector('main').innerText.includes('The queue z-last is not there.')");
    drop(others);
}

#[test]
fn rows_of_another_filter_are_not_shown_after_an_error() {
    let Some(mut browser) = Browser::start("rows_of_another_filter_are_not_shown_after_an_error") else {
        return;
    };
    let (world, jobs, _failed) = shop();
    let site = world.site();
    browser.open(&format!("{}#/queue/jobs", site.url()));
    browser.until(&is_visible("job 0"));
    browser.eval("location.hash = '#/queue/jobs?phase=lost'");
    browser.until("document.getElementById('found').innerText.includes('unknown variant')");
    // The next overview has another number of messages.
    jobs.send("job 100").unwrap();
    browser.until("document.querySelector('.figures dd').innerText === '101'");
    assert_eq!(
        browser.eval("document.getElementById('found').innerText.includes('unknown variant')"),
        true
    );
    assert_eq!(browser.eval("document.querySelector('tbody').checkVisibility()"), false);
    browser.eval("location.hash = '#/queue/jobs?text=job+100'");
    browser.until("document.getElementById('found').innerText.includes('of 1 message,')");
    assert_eq!(browser.eval("document.querySelector('tbody').checkVisibility()"), true);
}

#[test]
fn a_question_goes_with_its_view() {
    let Some(mut browser) = Browser::start("a_question_goes_with_its_view") else {
        return;
    };
    let (world, _jobs, _failed) = shop();
    let site = world.site();
    browser.open(&site.url());
    browser.eval("location.hash = '#/queue/jobs'");
    browser.click("#purge");
    browser.until("document.getElementById('dialog')?.open");
    browser.eval("history.back()");
    browser.until("document.querySelector('h1').innerText === 'Queues'");
    browser.until("document.getElementById('dialog') === null");
}

#[test]
fn json_is_shown_with_the_tokens_that_it_has() {
    let Some(mut browser) = Browser::start("json_is_shown_with_the_tokens_that_it_has") else {
        return;
    };
    let world = World::new();
    let jobs = world.queue("jobs");
    let body = r#"{"id":12345678901234567890,"id" : 1.0,"a":[ ],"b":[-1e5,{"x, \"y":null}],"c":"\u0041 : {"}"#;
    let id = jobs.send(body).unwrap().message_id;
    let deep = jobs
        .send("[".repeat(3_000) + "1" + &"]".repeat(3_000))
        .unwrap()
        .message_id;
    let site = world.site();
    browser.open(&format!("{}#/queue/jobs/message/{id}", site.url()));
    browser.click("#pretty");
    let lines = [
        r#"{"#,
        r#"  "id": 12345678901234567890,"#,
        r#"  "id": 1.0,"#,
        r#"  "a": [],"#,
        r#"  "b": ["#,
        r#"    -1e5,"#,
        r#"    {"#,
        r#"      "x, \"y": null"#,
        r#"    }"#,
        r#"  ],"#,
        r#"  "c": "\u0041 : {""#,
        r#"}"#,
    ];
    assert_eq!(
        browser.eval("document.querySelector('pre.body').textContent"),
        lines.join("\n")
    );
    browser.open(&format!("{}#/queue/jobs/message/{deep}", site.url()));
    browser.click("#pretty");
    browser.until("document.querySelector('pre.body').textContent.includes('\\n')");
    let length = browser.eval("document.querySelector('pre.body').textContent.length");
    assert!(length.as_u64() < Some(600_000), "{length}");
}

#[test]
fn nothing_is_hidden_in_names_either() {
    let Some(mut browser) = Browser::start("nothing_is_hidden_in_names_either") else {
        return;
    };
    let world = World::new();
    let jobs = world.queue("jobs");
    jobs.send("a\u{3164}b\u{2800}c\u{ad}d\u{e0041}e\u{34f}f").unwrap();
    let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(())).unwrap();
    let dashboard = world.dashboard().runner("re\u{202e}sizer", &jobs, runner.handle());
    let site = Site::start(dashboard, false);
    browser.open(&format!("{}#/queue/jobs", site.url()));
    browser.until(&is_visible("a⟨3164⟩b⟨2800⟩c⟨00AD⟩d⟨E0041⟩e⟨034F⟩f"));
    browser.open(&format!("{}#/workers", site.url()));
    browser.until("document.querySelector('.workers h2')?.innerText === 're⟨202E⟩sizer'");
    let label = "document.querySelector('.workers button').getAttribute('aria-label')";
    assert_eq!(browser.eval(label), "Pause re⟨202E⟩sizer");
    browser.click(".workers button");
    browser.until("document.getElementById('dialog-title')?.innerText === 'Pause re⟨202E⟩sizer?'");
    browser.click("#dialog-submit");
    browser.until("document.getElementById('notes').innerText.includes('re⟨202E⟩sizer receives nothing new')");
    browser.open(&format!("{}#/queue/jo%E2%80%AEbs", site.url()));
    browser.until("document.title === 'jo⟨202E⟩bs · requeue'");
    assert_eq!(browser.text("h1"), "jo⟨202E⟩bs");
    browser.until("document.querySelector('main').innerText.includes('The queue jo⟨202E⟩bs is not there.')");
}

#[test]
fn the_actions_go_once_the_server_is_read_only() {
    let Some(mut browser) = Browser::start("the_actions_go_once_the_server_is_read_only") else {
        return;
    };
    let (world, _jobs, _failed) = shop();
    let site = world.site();
    browser.open(&format!("{}#/queue/jobs", site.url()));
    browser.until("document.getElementById('purge')?.checkVisibility()");
    let seen = browser.eval(
        "(async () => { const real = fetch; window.fetch = async (path) => { \
         const json = await (await real(path)).json(); return new Response(JSON.stringify({ ...json, read_only: true })); }; \
         await (await import('/page.js')).refresh(); return document.getElementById('purge').checkVisibility(); })()",
    );
    assert_eq!(seen, false);
}
