//! The contrast of everything that the page shows, in light and in dark.

use {
    super::{
        Site,
        browser::Browser,
        page::{is_visible, shop},
    },
    requeue::{
        SendMessage,
        worker::{Job, Runner},
    },
    std::time::Duration,
};

const MEASURE: &str = include_str!("contrast.js");

#[test]
fn texts_controls_and_charts_have_the_contrast_of_aa() {
    let Some(mut browser) = Browser::start("texts_controls_and_charts_have_the_contrast_of_aa") else {
        return;
    };
    let (world, jobs, failed) = shop();
    let long = SendMessage::new(r#"{"image":"cat.png"}"#).delay(Duration::from_secs(60));
    jobs.send(long).unwrap();
    let _in_flight = jobs.receive().max_messages(5).blocking().unwrap();
    let letter = failed.snapshot().messages[9].message_id;
    let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(())).unwrap();
    runner.handle().pause();
    let site = Site::start(world.dashboard().runner("resizer", &jobs, runner.handle()), false);
    site.post(&serde_json::json!({ "action": "redrive", "queue": "jobs-failed", "per_second": 1 }));
    let views = [
        (String::new(), is_visible("jobs-failed"), ""),
        ("#/queue/jobs".to_owned(), is_visible("job 0"), "#purge"),
        ("#/queue/jobs-failed".to_owned(), is_visible("letter 9"), "#redrive"),
        ("#/queue/jobs".to_owned(), is_visible("job 0"), "#send"),
        ("#/queue/jobs".to_owned(), is_visible("job 0"), "#help"),
        (
            format!("#/queue/jobs-failed/message/{letter}"),
            "document.querySelector('.life li') !== null".to_owned(),
            "#delete",
        ),
        (
            "#/workers".to_owned(),
            "document.querySelector('.tag.paused') !== null".to_owned(),
            "section button",
        ),
    ];
    let mut wrong = Vec::new();
    let mut measure = |browser: &mut Browser, place: &str| {
        let found = browser.eval(MEASURE);
        assert!(found["measured"].as_u64() > Some(3), "{place}: {found}");
        let of_place = found["wrong"].as_array().unwrap().iter();
        wrong.extend(of_place.map(|it| format!("{place}: {}", it.as_str().unwrap())));
    };
    for (scheme, width) in [("light", 1_200), ("dark", 1_200), ("light", 375), ("dark", 375)] {
        browser.prefer(scheme);
        browser.size(width, 900);
        for (hash, ready, button) in &views {
            let place = format!("{scheme} {width} {hash}");
            browser.open(&format!("{}{hash}", site.url()));
            browser.until("document.getElementById('connection').innerText === 'live'");
            browser.until(ready);
            browser.until("document.querySelector('[aria-busy=true]') === null");
            browser.eval(
                "import('/page.js').then((page) => { page.note('It is done.'); page.note('It failed.', true); })",
            );
            browser.press("j");
            measure(&mut browser, &place);
            if !button.is_empty() {
                browser.click(button);
                browser.until("document.querySelector('dialog[open]') !== null");
                measure(&mut browser, &format!("{place} {button}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
