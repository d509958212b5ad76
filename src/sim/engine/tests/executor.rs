//! Futures in virtual time, and what tells them to stop.

use {
    crate::{
        clock::{Clock, ManualClock},
        sync::Mutex,
        time::Timestamp,
    },
    std::{
        cell::{Cell, RefCell},
        collections::VecDeque,
        future::{Future, poll_fn},
        pin::Pin,
        sync::Arc,
        task::{Context, Poll, Wake, Waker},
        time::Duration,
    },
};

/// Futures on one thread, polled in the order in which they were woken, and the clock that they go by.
pub(super) struct Executor {
    clock: ManualClock,
    started_at: Timestamp,
    woken: Arc<Mutex<VecDeque<usize>>>,
    tasks: Vec<Option<Pin<Box<dyn Future<Output = ()>>>>>,
}

struct WakeTask {
    task: usize,
    woken: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for WakeTask {
    fn wake(self: Arc<Self>) {
        let mut woken = self.woken.lock();
        if !woken.contains(&self.task) {
            woken.push_back(self.task);
        }
    }
}

impl Executor {
    pub(super) fn new(clock: &ManualClock) -> Self {
        Self {
            clock: clock.clone(),
            started_at: clock.now(),
            woken: Arc::default(),
            tasks: Vec::new(),
        }
    }

    pub(super) fn start(&mut self, future: impl Future<Output = ()> + 'static) {
        self.woken.lock().push_back(self.tasks.len());
        self.tasks.push(Some(Box::pin(future)));
    }

    fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some(task) = self.woken.lock().pop_front() else {
                return;
            };
            let woken = Arc::clone(&self.woken);
            let waker = Waker::from(Arc::new(WakeTask { task, woken }));
            let Some(future) = self.tasks[task].as_mut() else {
                continue;
            };
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                self.tasks[task] = None;
            }
        }
        panic!(
            "polled without end at {:?}",
            self.clock.now().saturating_duration_since(self.started_at)
        );
    }

    /// Lets time pass from deadline to deadline until shortly before the end.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.started_at.saturating_add(span);
        self.settle();
        while let Some(deadline) = self.clock.next_deadline().filter(|it| *it < end) {
            self.clock.advance_to(deadline);
            self.settle();
        }
        self.clock.advance_to(end.saturating_sub(Duration::from_millis(1)));
    }
}

/// What tells a worker to stop, and others that it has started.
#[derive(Default)]
pub(super) struct Signal {
    pub(super) stop: Cell<Option<Stop>>,
    pub(super) starts: Cell<u32>,
    wakers: RefCell<Vec<Waker>>,
}

#[derive(Clone, Copy)]
pub(super) struct Stop {
    pub(super) graceful: bool,
    pub(super) restart_time: Duration,
}

impl Signal {
    pub(super) fn change(&self) {
        self.wakers.borrow_mut().drain(..).for_each(Waker::wake);
    }

    pub(super) async fn stop(&self) -> Stop {
        poll_fn(|context| {
            if let Some(stop) = self.stop.take() {
                return Poll::Ready(stop);
            }
            self.wakers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub(super) async fn started(&self, before: u32) {
        poll_fn(|context| {
            if self.starts.get() > before {
                return Poll::Ready(());
            }
            self.wakers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
