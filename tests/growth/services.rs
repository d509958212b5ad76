//! Bursts of queues, links between them, move tasks and metrics in one service.

use {
    crate::{
        attributes::{QueueAttributes, RedrivePolicy},
        cases::{Case, HOUR, SECOND, alive, delete, drain, limits, receive},
        clock::ManualClock,
        queue::{Metrics, Queue},
        service::{ListQueues, Service, ServiceBuilder, StartMessageMoveTask},
        work::during,
    },
    std::time::Duration,
};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("queues", Service::builder, queues),
        case(
            "queues with metrics",
            || Service::builder().listener(Metrics::new()),
            queues,
        ),
        case("queues created one after another", Service::builder, one_after_another),
        case("dead-letter links", Service::builder, links),
        case("messages of a move task", Service::builder, moved),
        case("messages of a move task with a rate", Service::builder, moved_slowly),
        case("move tasks", Service::builder, move_tasks),
        case("tags", Service::builder, tags),
    ]
}

fn case(name: &str, builder: fn() -> ServiceBuilder, burst: fn(&ManualClock, &Service, usize)) -> Case {
    Case::new(name, move |size| {
        alive(|clock| {
            let service = builder().clock(clock.clone()).limits(limits()).seed(1).build();
            create(&service, "stays");
            burst(clock, &service, size);
            ordinary(clock, &service);
            service
        })
    })
    // A queue takes some microseconds and two kilobytes, many times what a message does.
    .part(5)
}

fn create(service: &Service, name: &str) -> Queue {
    service.create_queue(name, QueueAttributes::new()).unwrap()
}

fn name(number: usize) -> String {
    format!("queue-{number:08}")
}

/// Lets the windows end, then 1,000 times creates, uses and deletes a queue, ten seconds each.
fn ordinary(clock: &ManualClock, service: &Service) {
    clock.advance(HOUR);
    for number in 0..1_000 {
        during(if number == 0 {
            "the windows end"
        } else {
            "ordinary steps follow"
        });
        let queue = create(service, &format!("ordinary-{number:08}"));
        queue.send("body").unwrap();
        let messages = receive(&queue);
        clock.advance(10 * SECOND);
        delete(&queue, &messages);
        service.delete_queue(queue.name()).unwrap();
    }
}

fn queues(_: &ManualClock, service: &Service, burst: usize) {
    during("queues are created");
    for number in 0..burst {
        create(service, &name(number)).send("body").unwrap();
    }
    during("queues are listed");
    list_all(service, burst.min(1));
    during("queues are deleted");
    (0..burst).for_each(|number| service.delete_queue(&name(number)).unwrap());
}

/// Up to a thousand pages of a hundred.
fn list_all(service: &Service, pages: usize) {
    let mut request = ListQueues::new().max_results(100);
    for _ in 0..pages * 1_000 {
        let page = service.list_queues(&request).unwrap();
        let Some(token) = page.next_token else { return };
        request = request.next_token(token);
    }
}

fn one_after_another(clock: &ManualClock, service: &Service, burst: usize) {
    during("queues come and go");
    for number in 0..burst {
        create(service, &name(number)).delete_queue().unwrap();
        clock.advance(SECOND / 100);
    }
}

fn with_dead_letter_queue(dead: &Queue) -> QueueAttributes {
    QueueAttributes::new().redrive_policy(RedrivePolicy::new(dead.arn(), 1))
}

fn links(clock: &ManualClock, service: &Service, burst: usize) {
    let dead = create(service, "dead");
    during("queues are linked");
    for number in 0..burst {
        service
            .create_queue(&name(number), with_dead_letter_queue(&dead))
            .unwrap();
    }
    if burst > 0 {
        during("sources are listed");
        let page = service
            .list_dead_letter_source_queues("dead", &ListQueues::new().max_results(100))
            .unwrap();
        assert_eq!(page.items.len(), burst.min(100));
        during("a move task begins");
        service
            .start_message_move_task(&StartMessageMoveTask::new(dead.arn()))
            .unwrap();
    }
    during("the dead-letter queue is deleted");
    service.delete_queue("dead").unwrap();
    clock.advance(HOUR);
    during("the dead-letter queue is created again");
    create(service, "dead");
    during("links are removed");
    for number in 0..burst / 2 {
        service
            .set_attributes(&name(number), QueueAttributes::new().no_redrive_policy())
            .unwrap();
    }
    during("linked queues are deleted");
    (0..burst).for_each(|number| service.delete_queue(&name(number)).unwrap());
    service.delete_queue("dead").unwrap();
}

/// A dead-letter queue that holds so many messages of the queue that stays.
fn full_of_dead_letters(service: &Service, burst: usize) -> Queue {
    let dead = create(service, "dead");
    service.set_attributes("stays", with_dead_letter_queue(&dead)).unwrap();
    let stays = service.queue("stays").unwrap();
    during("messages become dead letters");
    (0..burst).for_each(|_| drop(stays.send("body")));
    for _ in 0..burst {
        stays.receive().visibility_timeout(Duration::ZERO).blocking().unwrap();
    }
    assert!(receive(&stays).is_empty());
    assert_eq!(dead.counts().visible, burst);
    dead
}

fn moved(clock: &ManualClock, service: &Service, burst: usize) {
    let dead = full_of_dead_letters(service, burst);
    during("messages are moved");
    service
        .start_message_move_task(&StartMessageMoveTask::new(dead.arn()))
        .unwrap();
    drain(clock, &service.queue("stays").unwrap());
}

fn moved_slowly(clock: &ManualClock, service: &Service, burst: usize) {
    let dead = full_of_dead_letters(service, burst);
    during("messages are moved");
    let request = StartMessageMoveTask::new(dead.arn()).max_messages_per_second(500);
    service.start_message_move_task(&request).unwrap();
    for _ in 0..burst / 500 + 1 {
        clock.advance(SECOND);
    }
    drain(clock, &service.queue("stays").unwrap());
}

fn move_tasks(_: &ManualClock, service: &Service, burst: usize) {
    let dead = full_of_dead_letters(service, 0);
    during("move tasks come and go");
    for _ in 0..burst {
        service
            .start_message_move_task(&StartMessageMoveTask::new(dead.arn()))
            .unwrap();
    }
}

fn tags(_: &ManualClock, service: &Service, burst: usize) {
    during("tags come and go");
    for number in 0..burst {
        service.tag_queue("stays", [(name(number), "value")]).unwrap();
        service.untag_queue("stays", [name(number)]).unwrap();
    }
}
