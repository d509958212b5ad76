//! An order event goes to three queues: billing takes paid orders, shipping those for Europe, the archive takes all.
//! `cargo run --example topic --features topics` takes no time and prints what each queue got.
use requeue::{
    MessageAttributeValue, Queue, QueueAttributes, Service,
    topics::{Envelope, FilterPolicy, PublishMessage, Topic},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = Service::new();
    let create = |name: &str| service.create_queue(name, QueueAttributes::new());
    let (billing, shipping, archive) = (create("billing")?, create("shipping")?, create("archive")?);
    let undelivered = create("shipping-undelivered")?;

    let orders = Topic::standard("orders").service(&service).build()?;
    let paid = FilterPolicy::attributes(r#"{"state": ["paid"], "total": [{"numeric": [">", 0]}]}"#)?;
    orders
        .subscribe(&billing)
        .filter_policy(paid)
        .raw_message_delivery(true)
        .create()?;
    let european = FilterPolicy::body(r#"{"address": {"country": [{"prefix": "EU-"}]}}"#)?;
    orders
        .subscribe(&shipping)
        .filter_policy(european)
        .raw_message_delivery(true)
        .dead_letter(&undelivered)
        .create()?;
    orders.subscribe(&archive).create()?;

    for (body, state, total) in [
        (r#"{"id": 17, "address": {"country": "EU-NL"}}"#, "paid", "19.90"),
        (r#"{"id": 18, "address": {"country": "EU-FR"}}"#, "open", "5"),
        (r#"{"id": 19, "address": {"country": "US"}}"#, "paid", "0"),
    ] {
        let order = PublishMessage::new(body)
            .subject("order")
            .attribute("state", MessageAttributeValue::string(state))
            .attribute("total", MessageAttributeValue::number(total));
        let published = orders.publish(order)?;
        published.check()?;
        println!("{} went to {} of 3 queues", published.message_id, published.delivered);
    }

    for (queue, expected) in [(&billing, 1), (&shipping, 2)] {
        println!("\n{}", queue.name());
        assert_eq!(print_all(queue)?, expected);
    }
    println!("\n{}", archive.name());
    assert_eq!(work(&archive)?, ["19.90", "5", "0"]);

    // A queue that is gone keeps no other from its message.
    service.delete_queue("shipping")?;
    let published = orders.publish(r#"{"id": 20, "address": {"country": "EU-DE"}}"#)?;
    let failure = &published.failures[0];
    println!("\n{}: {}", failure.subscription_arn, failure.error);
    assert!(!failure.is_lost() && published.delivered == 1);
    published.check()?; // its dead-letter queue has it
    println!("\n{}", undelivered.name());
    assert_eq!(print_all(&undelivered)?, 1);
    Ok(())
}

fn print_all(queue: &Queue) -> Result<usize, Box<dyn std::error::Error>> {
    let messages = queue.receive().max_messages(10).blocking()?;
    for message in &messages {
        println!("  {}", message.body());
        message.delete()?;
    }
    Ok(messages.len())
}

/// A worker that reads envelopes, and answers the totals of the orders.
fn work(queue: &Queue) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut totals = Vec::new();
    for message in queue.receive().max_messages(10).blocking()? {
        let envelope: Envelope = message.body().parse()?;
        let total = envelope.attributes.get("total").and_then(|it| it.string_value());
        let (subject, total) = (envelope.subject.unwrap_or_default(), total.unwrap_or_default());
        println!("  {subject} {} for {total}", envelope.message);
        totals.push(total.to_owned());
        message.delete()?;
    }
    Ok(totals)
}
