//! A FIFO queue keeps the order within a message group, while consumers work on different groups in parallel.
//! `cargo run --example fifo_groups` prints a line per group at once.
use {
    requeue::{Message, Queue, SendMessage},
    std::{collections::BTreeMap, sync::Mutex, thread},
};

const CUSTOMERS: [&str; 3] = ["ann", "bob", "cem"];
const STEPS: [&str; 4] = ["order", "pay", "pack", "ship"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let orders = Queue::fifo("orders.fifo").content_based_deduplication(true).build()?;
    for customer in CUSTOMERS {
        for step in STEPS {
            orders.send(SendMessage::new(format!("{customer}: {step}")).message_group_id(customer))?;
        }
    }

    let held: Vec<Message> = CUSTOMERS.iter().flat_map(|_| take_one(&orders)).collect();
    let groups: Vec<_> = held.iter().filter_map(Message::message_group_id).collect();
    println!("in flight at the same time: one order each of {}", groups.join(", "));
    assert_eq!(groups, CUSTOMERS, "groups do not wait for each other");
    assert!(
        take_one(&orders).is_none(),
        "within a group the next waits for the one before"
    );

    let done = Mutex::new(BTreeMap::<String, Vec<String>>::new());
    thread::scope(|scope| {
        for first in held {
            scope.spawn(|| {
                let mut next = Some(first);
                while let Some(order) = next {
                    let (customer, step) = order.body().split_once(": ").expect("sent as customer and step");
                    done.lock()
                        .unwrap()
                        .entry(customer.into())
                        .or_default()
                        .push(step.into());
                    order.delete().expect("its visibility timeout has not ended");
                    next = take_one(&orders);
                }
            });
        }
    });

    let done = done.into_inner()?;
    for (customer, steps) in &done {
        println!("{customer}: {}", steps.join(", "));
        assert_eq!(steps, &STEPS);
    }
    assert_eq!(done.len(), CUSTOMERS.len());
    Ok(())
}

fn take_one(orders: &Queue) -> Option<Message> {
    orders.receive().blocking().expect("the queue exists").pop()
}
