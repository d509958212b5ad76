//! StartMessageMoveTask, CancelMessageMoveTask and ListMessageMoveTasks.

use crate::common::{assert_refused, bodies, counts, in_group, millis, receive, receive_for, secs, take};
use requeue::{
    Alarm, Clock, Fact, FactChannel, FactEntry, FactListener, Limits, ManualClock, MessageMoveTask, MoveTaskError,
    MoveTaskFailure, MoveTaskStatus, Parker, Queue, QueueAttributes, RedriveAllowPolicy, RedrivePolicy, SendMessage,
    Service, ServiceBuilder, StartMessageMoveTask, TaskHandle, Timestamp,
};
use std::{
    sync::{Arc, Mutex, OnceLock},
    task::Waker,
    thread,
    time::Duration,
};

mod ends;
mod listing;
mod moving;
mod rates;
mod starting;
mod threads;

const NO_SOURCE: &str = "The resource that you specified for the SourceArn parameter doesn't exist.";
const NO_DESTINATION: &str = "The resource that you specified for the DestinationArn parameter doesn't exist.";
const NO_TASK: &str = "Task does not exist.";

fn bare() -> QueueAttributes {
    QueueAttributes::new()
}

fn redrive(target: &Queue) -> QueueAttributes {
    bare().redrive_policy(RedrivePolicy::new(target.arn(), 1))
}

/// A queue `jobs` whose dead letters go to `dead` after one receive.
struct House {
    clock: ManualClock,
    service: Service,
    jobs: Queue,
    dead: Queue,
}

impl House {
    fn new() -> Self {
        Self::of(Service::builder())
    }

    fn with_limits(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        Self::of(Service::builder().limits(limits))
    }

    fn of(builder: ServiceBuilder) -> Self {
        let clock = ManualClock::default();
        let service = builder.clock(clock.clone()).seed(1).build();
        Self::in_service(clock, service)
    }

    fn in_service(clock: ManualClock, service: Service) -> Self {
        let dead = service.create_queue("dead", bare()).unwrap();
        let jobs = service.create_queue("jobs", redrive(&dead)).unwrap();
        Self {
            clock,
            service,
            jobs,
            dead,
        }
    }

    /// Sends `m0`, `m1`, .. straight to the dead-letter queue.
    fn fill(self, messages: usize) -> Self {
        for number in 0..messages {
            self.dead.send(format!("m{number}")).unwrap();
        }
        self
    }

    fn request(&self) -> StartMessageMoveTask {
        StartMessageMoveTask::new(self.dead.arn())
    }

    /// A task that takes everything to `jobs` at this rate.
    fn start(&self, rate: u32) -> TaskHandle {
        let request = self.request().destination_arn(self.jobs.arn());
        let request = request.max_messages_per_second(rate);
        self.service.start_message_move_task(&request).unwrap()
    }

    fn newest(&self) -> MessageMoveTask {
        let mut tasks = self.service.list_message_move_tasks(self.dead.arn(), None).unwrap();
        tasks.pop().expect("a task was started")
    }

    /// Status and messages moved of the newest task.
    fn progress(&self) -> (MoveTaskStatus, u64) {
        let task = self.newest();
        (task.status, task.approximate_number_of_messages_moved)
    }
}

/// Sends these bodies and fails them until they are dead letters.
fn dead_letter(queue: &Queue, bodies: &[&str]) {
    for &body in bodies {
        queue.send(body).unwrap();
    }
    assert_eq!(receive_for(queue, 10, Duration::ZERO).len(), bodies.len());
    assert!(receive(queue, 10).is_empty());
}
