//! What a client is answered when a fault strikes, and what is told of it.

use {
    crate::inbox::Inbox,
    aws_sdk_sqs::{
        error::{ProvideErrorMetadata, SdkError},
        types::{
            ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
            MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
        },
    },
    requeue::{
        Queue, SendMessage,
        testing::{Check, Consumer, Context, Event, Fault, Faults, check, proptest::strategy::Just},
    },
    std::future::Future,
};

/// Who looks at the answers of one queue with one fault, in a program that makes one attempt at each call.
fn looks<F: Future<Output = bool> + 'static>(look: fn(Inbox) -> F) -> Check<bool> {
    check("looks", || false)
        .queue(|| Queue::standard("orders"))
        .messages(Just("order"))
        .consumer("looker", move |seen| {
            let seen = seen.clone();
            Consumer::program(move |context: Context| {
                let seen = seen.clone();
                async move {
                    let orders = Inbox::without_retries(&context, "orders").await;
                    for _ in 0..8 {
                        let looked = look(orders.clone()).await;
                        *seen.borrow_mut() |= looked;
                    }
                    orders.drain().await;
                }
            })
        })
}

/// The events of the first case in which `look` sees the fault, made short.
fn seen<F: Future<Output = bool> + 'static>(fault: Fault, look: fn(Inbox) -> F) -> Vec<Event> {
    let check = looks(look).faults(Faults::none().with(fault, 0.3)).pairs(0);
    let check = check.always("nobody sees it", |seen| !seen).first_failure_only();
    let error = check.run().expect_err("somebody sees it");
    let story = error.story().expect("a case failed");
    assert!(story.violation.contains("nobody sees it"), "{error}");
    story.events.clone()
}

fn tells(events: &[Event], what: &str, fault: Fault) {
    let told = |event: &&Event| event.fault == Some(fault) && event.who == "looker";
    let told: Vec<_> = events.iter().filter(told).map(|it| &it.what).collect();
    assert!(
        told.iter().any(|it| it.contains(what)),
        "{what:?} is not in {events:#?}"
    );
}

/// Code and HTTP status of an answer that refuses.
fn refusal<T, E: ProvideErrorMetadata>(result: &Result<T, SdkError<E>>) -> Option<(&str, u16)> {
    let error = result.as_ref().err()?;
    let status = error.raw_response()?.status().as_u16();
    Some((error.code()?, status))
}

fn is_reset<T, E>(result: &Result<T, SdkError<E>>) -> bool {
    matches!(result, Err(SdkError::DispatchFailure(failure)) if failure.is_io())
}

async fn messages(orders: &Inbox) -> Vec<Message> {
    let receive = orders.sqs.receive_message().queue_url(&orders.url);
    let received = receive.max_number_of_messages(10).send().await;
    received.ok().and_then(|it| it.messages).unwrap_or_default()
}

#[test]
fn a_send() {
    let throttled = seen(Fault::SendThrottled, |it| async move {
        let send = it.sqs.send_message().queue_url(&it.url).message_body("again");
        refusal(&send.send().await) == Some(("RequestThrottled", 403))
    });
    tells(
        &throttled,
        "sends \"again\": Request is throttled.",
        Fault::SendThrottled,
    );
    for fault in [Fault::SendResponseLost, Fault::SendLate] {
        let lost = seen(fault, |it| async move {
            let send = it.sqs.send_message().queue_url(&it.url).message_body("again");
            is_reset(&send.send().await)
        });
        tells(&lost, "sends \"again\": the response was lost", fault);
    }
}

#[test]
fn a_receive() {
    let throttled = seen(Fault::ReceiveThrottled, |it| async move {
        let receive = it.sqs.receive_message().queue_url(&it.url).send();
        refusal(&receive.await) == Some(("RequestThrottled", 403))
    });
    tells(&throttled, "receives: Request is throttled.", Fault::ReceiveThrottled);
    let over_limit = seen(Fault::OverLimit, |it| async move {
        let received = it.sqs.receive_message().queue_url(&it.url).send().await;
        received.is_err_and(|error| error.into_service_error().is_over_limit())
    });
    tells(&over_limit, "receives: ", Fault::OverLimit);
    let lost = seen(Fault::ReceiveResponseLost, |it| async move {
        is_reset(&it.sqs.receive_message().queue_url(&it.url).send().await)
    });
    tells(&lost, "receives: the response was lost", Fault::ReceiveResponseLost);
    let sampled = seen(Fault::SampledPoll, |it| async move {
        let _ = it.send("there").await;
        messages(&it).await.is_empty()
    });
    tells(&sampled, "receives nothing", Fault::SampledPoll);
    let reordered = seen(Fault::Reordered, |it| async move {
        let _ = (it.send("first").await, it.send("second").await);
        let bodies: Vec<_> = messages(&it).await.into_iter().filter_map(|it| it.body).collect();
        bodies.ends_with(&["second".to_owned(), "first".to_owned()])
    });
    tells(&reordered, "receives m", Fault::Reordered);
}

#[test]
fn a_message_that_comes_twice() {
    let in_flight = seen(Fault::DuplicateInFlight, |it| async move {
        let (one, other) = (messages(&it).await, messages(&it).await);
        let handle = |messages: &[Message]| messages.first().and_then(|it| it.receipt_handle.clone());
        handle(&one).is_some() && handle(&one) == handle(&other)
    });
    tells(&in_flight, "receives m1", Fault::DuplicateInFlight);
    let deleted = seen(Fault::DuplicateAfterDelete, |it| async move {
        let Some(message) = messages(&it).await.pop() else {
            return false;
        };
        let deleted = it.delete(&message).await.is_ok();
        deleted
            && messages(&it)
                .await
                .iter()
                .any(|again| again.message_id == message.message_id)
    });
    tells(&deleted, "receives m1", Fault::DuplicateAfterDelete);
}

#[test]
fn what_a_handler_was_given_comes_to_a_client_as_well() {
    let size = requeue::MessageAttributeValue::number("7");
    let check = check("both", Vec::new)
        .queue(|| Queue::standard("orders"))
        .messages(Just(SendMessage::new("order").attribute("size", size)))
        .consumer("handler", |handled| {
            let handled = handled.clone();
            Consumer::each(move |message, _| {
                handled.borrow_mut().push(message.message_id().to_string());
                Ok::<_, String>(())
            })
        })
        .consumer("client", |handled| {
            let handled = handled.clone();
            Consumer::program(move |context: Context| {
                let handled = handled.clone();
                async move {
                    let orders = Inbox::open(&context, "orders").await;
                    loop {
                        for message in with_attributes(&orders).await {
                            let id = message.message_id.clone().unwrap_or_default();
                            assert!(!handled.borrow().contains(&id), "it was handled");
                            let _ = orders.delete(&message).await;
                        }
                    }
                }
            })
        })
        .faults(Faults::none().with(Fault::DuplicateAfterDelete, 0.5))
        .first_failure_only();
    let error = check.run().unwrap_err();
    let story = error.story().unwrap();
    assert!(story.violation.contains("it was handled"), "{error}");
    assert!(
        error
            .to_string()
            .contains("client    receives m1  <- DuplicateAfterDelete"),
        "{error}"
    );
}

/// What a client gets that asks for one system attribute and all of the user's.
async fn with_attributes(orders: &Inbox) -> Vec<Message> {
    let receive = orders
        .sqs
        .receive_message()
        .queue_url(&orders.url)
        .wait_time_seconds(20);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
    let received = receive.message_attribute_names("All").send().await;
    let messages = received.ok().and_then(|it| it.messages).unwrap_or_default();
    for message in &messages {
        let attributes = message.message_attributes.as_ref().expect("they were asked for");
        assert_eq!(attributes["size"].string_value(), Some("7"));
        assert_eq!(message.attributes.as_ref().map(|it| it.len()), Some(1));
    }
    messages
}

#[test]
fn a_delete() {
    let fails = seen(Fault::DeleteFails, |it| async move {
        let Some(message) = messages(&it).await.pop() else {
            return false;
        };
        let delete = it.sqs.delete_message().queue_url(&it.url);
        let deleted = delete.set_receipt_handle(message.receipt_handle).send().await;
        refusal(&deleted) == Some(("ServiceUnavailable", 503))
    });
    tells(&fails, "deletes m1: The service is unavailable.", Fault::DeleteFails);
    for fault in [Fault::DeleteResponseLost, Fault::DeleteLate] {
        let lost = seen(fault, |it| async move {
            let Some(message) = messages(&it).await.pop() else {
                return false;
            };
            let delete = it.sqs.delete_message().queue_url(&it.url);
            is_reset(&delete.set_receipt_handle(message.receipt_handle).send().await)
        });
        tells(&lost, "deletes m1: the response was lost", fault);
    }
}

#[test]
fn a_change_of_visibility() {
    let fails = seen(Fault::VisibilityFails, |it| async move {
        let Some(message) = messages(&it).await.pop() else {
            return false;
        };
        let change = it.sqs.change_message_visibility().queue_url(&it.url);
        let change = change.set_receipt_handle(message.receipt_handle).visibility_timeout(60);
        refusal(&change.send().await) == Some(("ServiceUnavailable", 503))
    });
    tells(
        &fails,
        "hides m1 for 60 s: The service is unavailable.",
        Fault::VisibilityFails,
    );
    for fault in [Fault::VisibilityResponseLost, Fault::VisibilityLate] {
        let lost = seen(fault, |it| async move {
            let Some(message) = messages(&it).await.pop() else {
                return false;
            };
            let change = it.sqs.change_message_visibility().queue_url(&it.url);
            let change = change.set_receipt_handle(message.receipt_handle).visibility_timeout(60);
            is_reset(&change.send().await)
        });
        tells(&lost, "hides m1 for 60 s: the response was lost", fault);
    }
}

/// Of each entry of a batch, whether it failed in the service.
fn failed(failed: &[aws_sdk_sqs::types::BatchResultErrorEntry]) -> Vec<(&str, &str, bool)> {
    failed
        .iter()
        .map(|it| (it.id(), it.code(), it.sender_fault()))
        .collect()
}

const SECOND: [(&str, &str, bool); 1] = [("b", "InternalError", false)];

#[test]
fn an_entry_of_a_batch() {
    let sent = seen(Fault::BatchEntryFails, |it| async move {
        let entry = |id: &str| {
            SendMessageBatchRequestEntry::builder()
                .id(id)
                .message_body(id)
                .build()
                .unwrap()
        };
        let send = it.sqs.send_message_batch().queue_url(&it.url);
        let sent = send.entries(entry("a")).entries(entry("b")).send().await.unwrap();
        failed(&sent.failed) == SECOND && sent.successful.len() == 1 && sent.successful[0].id() == "a"
    });
    tells(&sent, " \"a\", \"b\"", Fault::BatchEntryFails);
    let deleted = seen(Fault::BatchEntryFails, |it| async move {
        let _ = (it.send("a").await, it.send("b").await);
        let entry = |(message, id): (Message, &str)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(id);
            entry.set_receipt_handle(message.receipt_handle).build().unwrap()
        };
        let entries: Vec<_> = messages(&it).await.into_iter().zip(["a", "b"]).map(entry).collect();
        if entries.len() < 2 {
            return false;
        }
        let delete = it
            .sqs
            .delete_message_batch()
            .queue_url(&it.url)
            .set_entries(Some(entries));
        failed(&delete.send().await.unwrap().failed) == SECOND
    });
    tells(&deleted, "deletes m", Fault::BatchEntryFails);
    let hidden = seen(Fault::BatchEntryFails, |it| async move {
        let _ = (it.send("a").await, it.send("b").await);
        let entry = |(message, id): (Message, &str)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id)
                .visibility_timeout(60);
            entry.set_receipt_handle(message.receipt_handle).build().unwrap()
        };
        let entries: Vec<_> = messages(&it).await.into_iter().zip(["a", "b"]).map(entry).collect();
        if entries.len() < 2 {
            return false;
        }
        let change = it
            .sqs
            .change_message_visibility_batch()
            .queue_url(&it.url)
            .set_entries(Some(entries));
        failed(&change.send().await.unwrap().failed) == SECOND
    });
    tells(&hidden, " for 60 s", Fault::BatchEntryFails);
}

#[test]
fn all_other_actions_work_and_meet_no_fault() {
    let check = check("others", || 0)
        .queue_with_dead_letters(3, || Queue::standard("orders"))
        .messages(Just("order"))
        .messages_at_most(1)
        .consumer("looker", |looked| {
            let looked = looked.clone();
            Consumer::program(move |context: Context| {
                let looked = looked.clone();
                async move {
                    let Inbox { sqs, url } = Inbox::open(&context, "orders").await;
                    assert_eq!(url, "https://sqs.us-east-1.amazonaws.com/000000000000/orders");
                    let Inbox { url: dead_letters, .. } = Inbox::open(&context, "orders-dead-letters").await;
                    let sources = sqs
                        .list_dead_letter_source_queues()
                        .queue_url(&dead_letters)
                        .send()
                        .await;
                    assert_eq!(sources.unwrap().queue_urls(), std::slice::from_ref(&url));
                    let all = sqs.list_queues().send().await.unwrap();
                    assert_eq!(all.queue_urls()[..2], [url.clone(), dead_letters]);
                    let policy = QueueAttributeName::RedrivePolicy;
                    let attributes = sqs
                        .get_queue_attributes()
                        .queue_url(&url)
                        .attribute_names(policy.clone());
                    let attributes = attributes.send().await.unwrap().attributes.unwrap_or_default();
                    assert!(attributes[&policy].contains("orders-dead-letters"), "{attributes:?}");
                    let name = format!("own-{}", *looked.borrow());
                    let created = sqs.create_queue().queue_name(name).send().await.unwrap();
                    let send = sqs
                        .send_message()
                        .set_queue_url(created.queue_url)
                        .message_body("no fault");
                    send.send().await.unwrap();
                    let unknown = sqs.get_queue_url().queue_name("unknown").send().await.unwrap_err();
                    assert!(unknown.into_service_error().is_queue_does_not_exist());
                    *looked.borrow_mut() += 1;
                    Inbox { sqs, url }.drain().await;
                }
            })
        })
        .faults(Faults::worst_legal())
        .pairs(50)
        .cases(50)
        .finally("it has looked", |looked, _| *looked > 0);
    check.run().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_the_service_refuses_is_told_and_is_no_fault() {
    let refused = check("refused", || ())
        .queue(|| Queue::standard("orders"))
        .messages(Just("order"))
        .messages_at_most(1)
        .consumer("looker", |_| {
            Consumer::program(|context: Context| async move {
                let Inbox { sqs, url } = Inbox::open(&context, "orders").await;
                let send = sqs.send_message().queue_url(&url).message_body("").send().await;
                assert_eq!(refusal(&send), Some(("MissingParameter", 400)));
                let receive = sqs
                    .receive_message()
                    .queue_url(&url)
                    .max_number_of_messages(11)
                    .send()
                    .await;
                assert_eq!(refusal(&receive), Some(("InvalidParameterValue", 400)));
                let delete = sqs.delete_message().queue_url(&url).receipt_handle("none").send().await;
                assert_eq!(refusal(&delete), Some(("ReceiptHandleIsInvalid", 404)));
                panic!("all is refused");
            })
        })
        .faults(Faults::none())
        .first_failure_only();
    let error = refused.run().unwrap_err();
    let story = error.story().unwrap();
    assert!(story.violation.contains("all is refused"), "{error}");
    let told: Vec<_> = story
        .events
        .iter()
        .filter(|it| it.who == "looker")
        .map(|it| &it.what)
        .collect();
    assert!(told[0].starts_with("sends \"\": "), "{told:?}");
    assert!(
        told[1].starts_with("receives: Value 11 for parameter MaxNumberOfMessages"),
        "{told:?}"
    );
    assert!(told[2].starts_with("deletes : "), "{told:?}");
}
