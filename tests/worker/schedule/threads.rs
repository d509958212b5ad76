//! The thread of a scheduler: its name, and what wraps it.

use {
    super::{receive, standard},
    crate::common::forward::forward,
    requeue::{
        Clock, Queue, SendMessage,
        backend::{MessageQueue, MessageQueueError},
        schedule::{Scheduler, SchedulerError},
    },
    std::{panic::resume_unwind, thread, time::Duration},
    tokio::runtime,
};

#[test]
fn the_name_of_the_thread_fits_in_15_bytes() {
    let (jobs, clock) = standard();
    let scheduler = Scheduler::builder(&jobs).until_none_held().build();
    let name = |_| thread::current().name().unwrap_or_default().to_owned();
    scheduler.handle().add_with("name", clock.now(), name).unwrap();
    scheduler.spawn().unwrap().join().unwrap();
    assert_eq!(receive(&jobs)[0].body(), "requeue-sched");
    assert!("requeue-sched".len() <= 15);
}

/// A queue whose client needs tokio.
#[derive(Clone)]
struct OnTokio(Queue);

impl MessageQueue for OnTokio {
    forward!(self.0: url is_fifo visibility_timeout clock receive delete change_visibility counts limits restores_receive_count release postpone dead_letter);

    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        // As a connection that tokio drives; it panics where no runtime is entered.
        let message = tokio::spawn(async { message }).await.unwrap();
        MessageQueue::send(&self.0, message).await
    }
}

#[test]
fn a_wrapper_surrounds_the_sends_of_a_scheduler_on_its_own_thread_and_on_that_of_the_caller() {
    let (jobs, _clock) = standard();
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    for spawned in [true, false] {
        let tokio = runtime.handle().clone();
        let builder = Scheduler::builder(&OnTokio(jobs.clone())).until_none_held();
        let builder = builder.wrap_threads(move |work| {
            let _entered = tokio.enter();
            work();
        });
        let mut scheduler = builder.build();
        scheduler.handle().add("tea", Duration::ZERO, "tea").unwrap();
        let report = if spawned {
            scheduler.spawn().unwrap().join()
        } else {
            scheduler.blocking()
        };
        assert_eq!((report.unwrap().sent, receive(&jobs).len()), (1, 1));
    }
}

#[test]
fn a_wrapper_that_does_not_call_its_thread_ends_the_scheduler_with_an_error_and_keeps_its_schedules() {
    let (jobs, _clock) = standard();
    let wrappers: [fn(&mut dyn FnMut()); 2] = [|_| {}, |_| resume_unwind(Box::new("no runtime"))];
    for wrapper in wrappers {
        let scheduler = Scheduler::builder(&jobs)
            .until_none_held()
            .wrap_threads(wrapper)
            .build();
        let schedules = scheduler.handle();
        schedules.add("tea", Duration::ZERO, "tea").unwrap();
        let error = scheduler.spawn().unwrap().join().unwrap_err();
        let text = "the thread of the scheduler exited early: what wraps it panicked or did not call it";
        assert_eq!(error.to_string(), text);
        assert!(matches!(error, SchedulerError::Thread { .. }));
        assert_eq!((schedules.due(9).len(), receive(&jobs).len()), (1, 0));
    }
}

#[test]
fn a_wrapper_may_call_its_thread_twice_and_panic_after_it_to_no_effect() {
    let (jobs, _clock) = standard();
    let wrapper = |work: &mut dyn FnMut()| {
        work();
        work();
        resume_unwind(Box::new("too late"));
    };
    let scheduler = Scheduler::builder(&jobs)
        .until_none_held()
        .wrap_threads(wrapper)
        .build();
    scheduler.handle().add("tea", Duration::ZERO, "tea").unwrap();
    assert_eq!(scheduler.spawn().unwrap().join().unwrap().sent, 1);
}
