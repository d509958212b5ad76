//! Code that was written for the client of the AWS SDK, and knows nothing of the kit.
use {
    aws_sdk_sqs::{Client, types::Message},
    requeue::{
        Queue,
        testing::{Check, Consumer, World, check, proptest::strategy::Just},
    },
};

#[derive(Default)]
pub(crate) struct Shop {
    charges: Vec<String>,
}

/// Deletes the order before it charges it, so that nobody charges it twice.
pub(crate) fn deletes_before_it_charges() -> Check<Shop> {
    check("an SDK client that deletes, and then charges", Shop::default)
        .queue(|| Queue::standard("orders"))
        .message_sequence(Just(vec!["order-1"]))
        .consumer("client", |shop: &World<Shop>| {
            let shop = shop.clone();
            Consumer::program(move |context| {
                let (shop, client) = (shop.clone(), Client::new(&context.sdk_config()));
                async move { charge_all(&client, |order| shop.borrow_mut().charges.push(order)).await }
            })
        })
        .effects_exactly_once(
            "charged",
            |shop| shop.charges.clone(),
            |order| Some(order.body.to_string()),
        )
}

async fn charge_all(client: &Client, charge: impl Fn(String)) -> Result<(), aws_sdk_sqs::Error> {
    let queue = client.get_queue_url().queue_name("orders").send().await?;
    let url = queue.queue_url().unwrap_or_default();
    loop {
        let received = client
            .receive_message()
            .queue_url(url)
            .wait_time_seconds(20)
            .send()
            .await?;
        for order in received.messages() {
            delete(client, url, order).await?;
            charge(order.body().unwrap_or_default().to_owned());
        }
    }
}

async fn delete(client: &Client, url: &str, order: &Message) -> Result<(), aws_sdk_sqs::Error> {
    let handle = order.receipt_handle().unwrap_or_default();
    client
        .delete_message()
        .queue_url(url)
        .receipt_handle(handle)
        .send()
        .await?;
    Ok(())
}

/// A client that deletes all that it receives.
pub(crate) fn trivial() -> Consumer {
    Consumer::program(|context| {
        let client = Client::new(&context.sdk_config());
        async move { charge_all(&client, |_| ()).await }
    })
}
