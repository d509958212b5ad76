//! What the page shows and deletes of a queue, by the filter in its address.

use {
    super::{
        World,
        browser::Browser,
        page::{is_visible, shop},
    },
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
