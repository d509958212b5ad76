//! The page in a browser. README's picture is `dashboard.png` of
//! `DASHBOARD_PICTURES=$PWD/target/pictures cargo test -p dashboard pictures`, which takes five minutes;
//! `src/guide/dashboard.base64` is beside it.

use {
    super::{Site, World, browser::Browser},
    crate::{data::Memory, demo::Demo},
    requeue::{
        MessageAttributeValue, Queue, SendMessage,
        worker::{Job, Runner},
    },
    std::{env, fs, path::PathBuf, thread, time::Duration},
};

/// A body that would run if any of it became markup.
const MARKUP: &str =
    r#"<img src=x onerror="window.ran=1"><script>window.ran=1</script>"><svg onload=window.ran=1>&amp;"#;

/// Text that turns around, hides or combines with what is beside it.
const STRANGE: &str = "\u{301}left\u{202e}thgir\u{2066} zero\u{200b}width\ttab\nline";

/// Each test begins with a browser, or is skipped with a line that says so.
macro_rules! browser_or_skip {
    ($name:literal) => {
        match Browser::start($name) {
            Some(browser) => browser,
            None => return,
        }
    };
}

/// A queue with ten letters that have reasons, and one with a hundred messages.
pub(super) fn shop() -> (World, Queue, Queue) {
    let world = World::new();
    let (jobs, failed) = world.with_dead_letters("jobs", 5);
    for number in 0..10 {
        jobs.send(SendMessage::new(format!("letter {number}")).message_group_id("acme"))
            .unwrap();
        let reason = if number % 2 == 0 {
            "disk is full"
        } else {
            "no such file"
        };
        jobs.receive().blocking().unwrap()[0].dead_letter(reason).unwrap();
    }
    for number in 0..100 {
        let group = if number % 4 == 0 { "acme" } else { "hooli" };
        jobs.send(SendMessage::new(format!("job {number}")).message_group_id(group))
            .unwrap();
    }
    (world, jobs, failed)
}

fn no_problems(browser: &mut Browser, site: &Site) {
    assert_eq!(browser.problems(), [""; 0]);
    let elsewhere: Vec<_> = browser
        .requests()
        .into_iter()
        .filter(|url| !url.starts_with(&site.url()))
        .collect();
    assert_eq!(elsewhere, [""; 0]);
}

pub(super) fn is_visible(message: &str) -> String {
    format!("document.querySelector('tbody')?.innerText.includes({message:?})")
}

#[test]
fn markup_in_a_message_is_text() {
    let mut browser = browser_or_skip!("markup_in_a_message_is_text");
    let world = World::new();
    let (jobs, failed) = world.with_dead_letters("jobs", 5);
    let message = SendMessage::new(MARKUP).message_group_id("<b>group</b>".replace(['<', '>'], "!"));
    let id = jobs.send(message).unwrap().message_id;
    jobs.receive().blocking().unwrap()[0].dead_letter(MARKUP).unwrap();
    failed.send(STRANGE).unwrap();
    let site = world.site();
    browser.open(&format!("{}#/queue/jobs-failed", site.url()));
    browser.until(&is_visible("onerror"));
    browser.until(&is_visible("\u{25cc}\u{301}left\u{27e8}202E\u{27e9}thgir\u{27e8}2066\u{27e9} zero\u{27e8}200B\u{27e9}width tab \u{23ce} line"));
    let link = format!("a[title='{id}']");
    browser.click(&link);
    browser.until("document.querySelector('pre.body')?.textContent.includes('onerror')");
    browser.until("document.querySelector('.life')?.innerText.includes('onerror')");
    assert_eq!(browser.text("pre.body"), MARKUP);
    let foreign = "document.querySelectorAll('main img, main script, main svg[onload]').length";
    assert_eq!(browser.eval(foreign), 0);
    assert_eq!(browser.eval("window.ran ?? null"), serde_json::Value::Null);
    // What the browser itself refuses, whatever the page does.
    let refused = "(() => { try { document.body.innerHTML = '<b>x</b>'; return false } catch { return true } })()";
    assert_eq!(browser.eval(refused), true);
    assert_eq!(
        browser
            .requests()
            .iter()
            .filter(|url| !url.starts_with(&site.url()))
            .count(),
        0
    );
}

#[test]
fn numbers_change_without_a_reload_and_typing_goes_on() {
    let mut browser = browser_or_skip!("numbers_change_without_a_reload_and_typing_goes_on");
    let (world, jobs, _failed) = shop();
    let site = world.site();
    browser.size(1_200, 500);
    browser.open(&format!("{}#/queue/jobs", site.url()));
    browser.until("document.getElementById('connection').innerText === 'live'");
    browser.until(&is_visible("job 0"));
    browser.eval("window.mark = 1");
    browser.click("input[name=text]");
    browser.enter("job 1");
    browser.until("document.getElementById('found').innerText.includes('of 11 messages, of 100')");
    browser.eval("scrollTo(0, 200)");
    let scrolled = browser.eval("scrollY");
    browser.eval("(() => { const it = document.activeElement; it.setSelectionRange(2, 4); })()");
    jobs.send("job 1000").unwrap();
    browser.until("document.querySelector('.figures dd').innerText === '101'");
    browser.until(&is_visible("job 1000"));
    assert_eq!(browser.eval("document.activeElement.name"), "text");
    assert_eq!(browser.eval("document.activeElement.value"), "job 1");
    assert_eq!(browser.eval("document.activeElement.selectionStart"), 2);
    assert_eq!(browser.eval("scrollY"), scrolled);
    assert_eq!(browser.eval("window.mark"), 1, "it was not loaded again");
    assert_eq!(browser.eval("location.hash"), "#/queue/jobs?text=job+1");
    no_problems(&mut browser, &site);
}

#[test]
fn a_row_keeps_the_focus_while_others_come_and_go() {
    let mut browser = browser_or_skip!("a_row_keeps_the_focus_while_others_come_and_go");
    let (world, jobs, _failed) = shop();
    let site = world.site();
    browser.open(&format!("{}#/queue/jobs", site.url()));
    browser.until(&is_visible("job 2"));
    (0..3).for_each(|_| browser.press("j"));
    let focused = browser.eval("document.activeElement.title");
    for message in jobs.receive().max_messages(2).blocking().unwrap() {
        message.delete().unwrap();
    }
    browser.until("!document.querySelector('tbody').innerText.includes('job 0\\n')");
    browser.until("document.querySelector('.figures dd').innerText === '98'");
    browser.until("document.activeElement.matches('a.row')");
    let after = browser.eval("document.activeElement.title");
    let still_there = format!(
        "document.querySelector(\"a[title='{}']\") !== null",
        focused.as_str().unwrap()
    );
    if browser.eval(&still_there) == true {
        assert_eq!(after, focused);
    }
    no_problems(&mut browser, &site);
}

#[test]
fn the_keyboard_alone_opens_a_queue_a_message_and_goes_back() {
    let mut browser = browser_or_skip!("the_keyboard_alone_opens_a_queue_a_message_and_goes_back");
    let (world, _jobs, _failed) = shop();
    let site = world.site();
    browser.open(&site.url());
    browser.until(&is_visible("jobs"));
    browser.press("?");
    browser.until("document.getElementById('keys').open");
    browser.press("Escape");
    browser.until("!document.getElementById('keys').open");
    browser.press("j");
    assert_eq!(browser.eval("document.activeElement.innerText"), "jobs");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.eval(outline), "solid", "the focus is seen");
    browser.press("Enter");
    browser.until(&is_visible("job 0"));
    browser.press("n");
    browser.until(&is_visible("job 99"));
    browser.press("j");
    browser.press("j");
    let id = browser.eval("document.activeElement.title");
    browser.press("Enter");
    browser.until("document.querySelector('.life li') !== null");
    assert_eq!(browser.text("h1"), id.as_str().unwrap());
    browser.press("u");
    browser.until(&is_visible("job 99"));
    browser.until(&format!("document.activeElement.title === {id}"));
    browser.press("u");
    browser.until("document.querySelector('h1').innerText === 'Queues'");
    browser.eval("history.back()");
    browser.until(&is_visible("job 99"));
    browser.press("/");
    browser.enter("job 77");
    browser.until("document.querySelectorAll('tbody tr').length === 1");
    browser.press("j");
    assert_eq!(
        browser.eval("document.activeElement.name"),
        "text",
        "a field takes letters as they are"
    );
    let address = browser.eval("location.href");
    browser.call("Page.reload", serde_json::json!({}));
    browser.open(address.as_str().unwrap());
    browser.until("document.querySelector('input[name=text]').value.startsWith('job 77')");
    no_problems(&mut browser, &site);
}

#[test]
fn an_action_is_confirmed_or_cancelled() {
    let mut browser = browser_or_skip!("an_action_is_confirmed_or_cancelled");
    let (world, jobs, failed) = shop();
    let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(())).unwrap();
    let site = Site::start(world.dashboard().runner("resizer", &jobs, runner.handle()), false);
    browser.open(&format!("{}#/queue/jobs-failed", site.url()));
    browser.click("#redrive");
    browser.until("document.getElementById('dialog')?.open");
    browser.press("Escape");
    browser.until("!document.getElementById('dialog')?.open");
    assert_eq!(
        browser.eval("document.activeElement.id"),
        "redrive",
        "the focus is back"
    );
    browser.click("#redrive");
    browser.click("#dialog [name=per_second]");
    browser.enter("2");
    browser.press("Enter");
    browser.until("document.querySelector('.redrive')?.innerText.includes('1 of 10 moved')");
    assert_eq!(failed.counts().visible, 9);
    browser.click("#cancel-redrive");
    browser.click("#dialog-submit");
    browser.until("/ (was|being) cancelled/.test(document.querySelector('.redrive')?.innerText)");

    browser.open(&format!("{}#/queue/jobs", site.url()));
    browser.click("#purge");
    browser.until("document.getElementById('dialog')?.innerText.includes('101 messages')");
    assert_eq!(
        browser.eval("document.activeElement.id"),
        "dialog-cancel",
        "Enter does no harm"
    );
    browser.press("Enter");
    browser.until("!document.getElementById('dialog')?.open");
    assert_eq!(jobs.counts().visible, 101);
    browser.click("#purge");
    browser.click("#dialog-submit");
    browser.until("document.querySelector('.figures dd').innerText === '0'");
    assert_eq!(jobs.counts().visible, 0);

    browser.click("#send");
    browser.until("document.activeElement.name === 'body'");
    browser.enter("<i>hello</i>");
    browser.click("#dialog [name=attributes]");
    browser.enter("priority: Number = high");
    browser.click("#dialog-submit");
    browser.until("document.getElementById('dialog-error')?.hidden === false");
    assert_eq!(
        browser.eval("document.querySelector('#dialog [name=body]').value"),
        "<i>hello</i>",
        "what was typed stays"
    );
    browser.eval("document.querySelector('#dialog [name=attributes]').value = 'priority: Number = 3'");
    browser.click("#dialog-submit");
    browser.until(&is_visible("<i>hello</i>"));

    browser.open(&format!("{}#/workers", site.url()));
    browser.click(".workers button");
    browser.click("#dialog-submit");
    browser.until("document.querySelector('.workers .tag').innerText === 'paused'");
    assert_eq!(runner.handle().report().state.to_string(), "paused");
    let refused = browser
        .problems()
        .into_iter()
        .filter(|problem| !problem.contains("/api/action"));
    assert_eq!(refused.count(), 0);
}

#[test]
fn a_filter_deletes_the_number_that_is_shown() {
    let mut browser = browser_or_skip!("a_filter_deletes_the_number_that_is_shown");
    let (world, jobs, _failed) = shop();
    let site = world.site();
    browser.open(&format!("{}#/queue/jobs", site.url()));
    browser.until(&is_visible("job 0"));
    browser.click("[aria-label=Groups] button");
    browser.until("document.getElementById('found').innerText.includes('75 messages')");
    browser.click("#delete-matching");
    browser.until("document.getElementById('dialog')?.innerText.includes('75 messages (group: hooli)')");
    assert_eq!(browser.text("#dialog-submit"), "Delete 75 messages");
    browser.click("#dialog-cancel");
    browser.until("!document.getElementById('dialog')?.open");
    assert_eq!(jobs.counts().visible, 100);
    browser.click("#delete-matching");
    browser.until("document.getElementById('dialog')?.open");
    // So many others count meanwhile that this count is forgotten.
    (0..8).for_each(|_| assert_eq!(site.get("/api/queues/jobs/selection").status, 200));
    browser.click("#dialog-submit");
    browser.until("document.getElementById('dialog-error')?.innerText.includes('made anew')");
    assert_eq!(jobs.counts().visible, 100);
    browser.click("#dialog-submit");
    browser.until("document.querySelector('.figures dd').innerText === '25'");
    assert_eq!(jobs.counts().visible, 25);
    browser.until("document.getElementById('notes').innerText.includes('75 messages were deleted.')");
    let others = browser
        .problems()
        .into_iter()
        .filter(|problem| !problem.contains("409"));
    assert_eq!(others.count(), 0);
}

#[test]
fn a_read_only_page_shows_no_action() {
    let mut browser = browser_or_skip!("a_read_only_page_shows_no_action");
    let (world, jobs, _failed) = shop();
    let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(())).unwrap();
    let site = Site::start(world.dashboard().runner("resizer", &jobs, runner.handle()), true);
    let id = jobs.snapshot().messages[0].message_id;
    for hash in [
        "#/".to_owned(),
        "#/queue/jobs-failed".to_owned(),
        format!("#/queue/jobs/message/{id}"),
        "#/workers".to_owned(),
    ] {
        browser.open(&format!("{}{hash}", site.url()));
        browser.until("document.getElementById('connection').innerText === 'live'");
        browser.until("document.querySelectorAll('main tr, main .life li, main section').length > 0");
        let buttons =
            "[...document.querySelectorAll('main button')].filter(it => it.checkVisibility()).map(it => it.innerText)";
        let buttons = browser.eval(buttons);
        let actions = buttons
            .as_array()
            .unwrap()
            .iter()
            .filter(|text| text.as_str().unwrap().ends_with('\u{2026}'));
        assert_eq!(actions.count(), 0, "{hash}: {buttons}");
        assert_eq!(browser.text("#read-only"), "read-only");
    }
    no_problems(&mut browser, &site);
}

#[test]
fn a_queue_that_is_deleted_is_said_to_be_gone() {
    let mut browser = browser_or_skip!("a_queue_that_is_deleted_is_said_to_be_gone");
    let (world, jobs, _failed) = shop();
    let site = world.site();
    browser.open(&format!("{}#/queue/jobs", site.url()));
    browser.until(&is_visible("job 0"));
    jobs.delete_queue().unwrap();
    browser.until("document.querySelector('main').innerText.includes('The queue jobs is not there.')");
    browser.press("u");
    browser.until("document.querySelector('tbody').innerText.includes('jobs-failed')");
}

#[test]
fn a_redrive_that_is_over_says_how_it_ended() {
    let mut browser = browser_or_skip!("a_redrive_that_is_over_says_how_it_ended");
    let (world, jobs, failed) = shop();
    let site = world.site();
    site.post(&serde_json::json!({ "action": "redrive", "queue": "jobs-failed", "per_second": 1 }));
    browser.open(&format!("{}#/queue/jobs-failed", site.url()));
    browser.until("document.querySelector('.redrive progress')?.checkVisibility()");
    assert_eq!(
        browser.text(".redrive span"),
        "The redrive to where each came from, 1 per second, is running: 1 of 10 moved"
    );
    // Seven letters leave in another way, and the task ends early.
    let others: Vec<_> = failed
        .snapshot()
        .messages
        .iter()
        .take(7)
        .map(|it| it.message_id)
        .collect();
    failed.delete_by_id(&others).unwrap();
    world.clock.advance(Duration::from_secs(10));
    jobs.receive().blocking().unwrap()[0].dead_letter("once more").unwrap();
    browser.until("document.querySelector('.redrive span').innerText.includes('completed')");
    browser.until("document.querySelector('.redrive span').innerText.includes('became visible after')");
    assert_eq!(
        browser.text(".redrive"),
        "The redrive to where each came from is completed, 3 messages moved. Of the 10 that were visible when it began, \
         the others left in another way or are in flight. It does not move what became visible after its end."
    );
    no_problems(&mut browser, &site);
}

#[test]
fn what_is_loading_or_not_known_is_said() {
    let mut browser = browser_or_skip!("what_is_loading_or_not_known_is_said");
    let world = World::remembering(Memory {
        lives: 1,
        ..Memory::default()
    });
    let jobs = world.queue("jobs");
    let first = SendMessage::new("first").attribute("priority", MessageAttributeValue::number("3"));
    let forgotten = jobs.send(first).unwrap().message_id;
    jobs.send("second").unwrap();
    world.queue("empty");
    let site = world.site();
    browser.open(&site.url());
    browser.until(&is_visible("empty"));
    let oldest = "document.querySelector('tbody').rows[0].cells[4].innerText";
    assert_eq!(browser.eval(oldest), "none");
    // The answers of the server wait until the test lets them go.
    browser.eval(
        "(() => { const real = fetch; window.fetch = (path, ...rest) => path.includes('/messages?') \
         ? new Promise((go) => { window.go = go; }).then(() => real(path, ...rest)) : real(path, ...rest); })()",
    );
    browser.eval("location.hash = '#/queue/jobs'");
    browser.until("document.getElementById('found')?.innerText === 'Loading messages\u{2026}' && window.go");
    assert_eq!(browser.eval("document.querySelectorAll('[aria-busy=true]').length"), 1);
    browser.eval("go()");
    browser.until(&is_visible("second"));
    browser.until("document.getElementById('found').innerText === '1\u{2013}2 of 2 messages'");
    assert_eq!(browser.eval("document.querySelectorAll('[aria-busy=true]').length"), 0);
    browser.open(&format!("{}#/queue/jobs/message/{forgotten}", site.url()));
    browser.until("document.querySelector('main').innerText.includes('priority')");
    no_problems(&mut browser, &site);
}

#[test]
fn the_figures_leave_no_hole_at_any_width() {
    let mut browser = browser_or_skip!("the_figures_leave_no_hole_at_any_width");
    let (world, _jobs, _failed) = shop();
    let site = world.site();
    for width in [320, 375, 600, 721, 800, 901, 1_200] {
        browser.size(width, 700);
        for hash in ["#/", "#/queue/jobs"] {
            browser.open(&format!("{}{hash}", site.url()));
            browser.until("document.querySelector('.figures dd')?.innerText.length > 1");
            // What the cells and the lines between them do not cover.
            let hole = "(() => { const grid = document.querySelector('.figures'); \
                        const area = (it) => it.getBoundingClientRect().width * it.getBoundingClientRect().height; \
                        const cells = [...grid.children].reduce((sum, it) => sum + area(it), 0); \
                        const cut = [...grid.children].some((it) => it.scrollWidth > it.clientWidth); \
                        return cut || cells < 0.95 * area(grid); })()";
            assert_eq!(browser.eval(hole), false, "{width} {hash}");
        }
    }
}

#[test]
fn a_phone_needs_no_sideways_scrolling_and_the_dark_is_dark() {
    let mut browser = browser_or_skip!("a_phone_needs_no_sideways_scrolling_and_the_dark_is_dark");
    let (world, jobs, _failed) = shop();
    let id = jobs.send("x".repeat(5_000)).unwrap().message_id;
    let site = world.site();
    browser.size(375, 700);
    for hash in [
        "#/".to_owned(),
        "#/queue/jobs?text=xxx".to_owned(),
        format!("#/queue/jobs/message/{id}"),
        "#/workers".to_owned(),
    ] {
        browser.open(&format!("{}{hash}", site.url()));
        browser.until("document.getElementById('connection').innerText === 'live'");
        assert_eq!(browser.eval("document.documentElement.scrollWidth"), 375, "{hash}");
    }
    let ground = "getComputedStyle(document.body).backgroundColor";
    browser.prefer("light");
    let light = browser.eval(ground);
    browser.prefer("dark");
    browser.until(&format!("{ground} !== {light}"));
    let dark = browser.eval(ground);
    browser.press("t");
    browser.until(&format!("{ground} === {light}"));
    browser.press("t");
    browser.prefer("light");
    browser.until(&format!("{ground} === {dark}"));
    assert_eq!(browser.eval("localStorage.theme"), "dark");
    no_problems(&mut browser, &site);
}

/// Nothing is written unless `DASHBOARD_PICTURES` names a folder, so that a test leaves the tree as it was. The charts
/// are full after five minutes, which `DASHBOARD_SECONDS` shortens.
#[test]
fn pictures_of_the_demonstration() {
    let Some(folder) = env::var_os("DASHBOARD_PICTURES").map(PathBuf::from) else {
        return;
    };
    let mut browser = browser_or_skip!("pictures_of_the_demonstration");
    let seconds = env::var("DASHBOARD_SECONDS").map_or(310, |seconds| seconds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (demo, dashboard) = runtime.block_on(async { Demo::start(0) }).unwrap();
    let site = Site::start(dashboard, false);
    thread::sleep(Duration::from_secs(seconds));
    fs::create_dir_all(&folder).unwrap();
    let take = |browser: &mut Browser, name: &str| {
        thread::sleep(Duration::from_secs(2));
        let picture = data_encoding::BASE64.decode(browser.picture("png").as_bytes()).unwrap();
        fs::write(folder.join(name), picture).unwrap();
    };
    let queue = |name: &str| format!("{}#/queue/{name}", site.url());
    browser.prefer("light");
    browser.size(1_120, 460);
    browser.open(&site.url());
    take(&mut browser, "dashboard.png");
    // A third of the size, for the documentation, which the crate carries.
    fs::write(folder.join("dashboard.base64"), browser.picture("webp")).unwrap();
    browser.size(1_200, 900);
    browser.open(&queue("jobs-failed"));
    take(&mut browser, "letters.png");
    browser.click("#delete-matching");
    take(&mut browser, "dialog.png");
    browser.press("Escape");
    browser.click("#send");
    take(&mut browser, "send.png");
    browser.press("Escape");
    browser.click("a.row");
    take(&mut browser, "message.png");
    browser.prefer("dark");
    browser.open(&queue("jobs"));
    take(&mut browser, "queue-dark.png");
    browser.open(&format!("{}#/workers", site.url()));
    take(&mut browser, "workers-dark.png");
    browser.press("?");
    take(&mut browser, "keys-dark.png");
    browser.press("Escape");
    browser.prefer("light");
    browser.size(375, 812);
    for (name, url) in [("phone.png", site.url()), ("phone-queue.png", queue("jobs-failed"))] {
        browser.open(&url);
        take(&mut browser, name);
    }
    browser.eval("scrollTo(0, 700)");
    take(&mut browser, "phone-list.png");
    browser.click("a.row");
    take(&mut browser, "phone-message.png");
    runtime.block_on(demo.stop());
}
