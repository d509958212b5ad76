//! Futures run on the thread of the test, in virtual time: polled when woken, and time moves from deadline to deadline.
#![allow(dead_code, reason = "every test file uses a part of it")]

use {
    requeue::{Alarm, Clock, ManualClock, Timestamp},
    std::{
        cell::RefCell,
        future::Future,
        pin::Pin,
        rc::Rc,
        sync::{
            Arc, Mutex,
            atomic::{AtomicBool, AtomicUsize, Ordering},
        },
        task::{Context, Poll, Wake, Waker},
        time::Duration,
    },
};

/// More polls than this without time moving on are a loop without end.
const MAX_POLLS: usize = 200_000;

/// Tasks on one thread, and the clock they go by.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    start: Timestamp,
    tasks: Vec<Option<Task>>,
    turn: usize,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A task under way or over.
pub(crate) struct Run<T> {
    task: usize,
    output: Rc<RefCell<Option<T>>>,
}

impl<T> Run<T> {
    pub(crate) fn is_done(&self) -> bool {
        self.output.borrow().is_some()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::on(&ManualClock::default())
    }

    pub(crate) fn on(clock: &ManualClock) -> Self {
        Self {
            clock: clock.clone(),
            start: clock.now(),
            tasks: Vec::new(),
            turn: 0,
        }
    }

    /// Since the beginning of this world.
    pub(crate) fn time(&self) -> Duration {
        self.clock.now().saturating_duration_since(self.start)
    }

    /// Begins a task, which runs from the next time that something is settled.
    pub(crate) fn start<T: 'static>(&mut self, future: impl Future<Output = T> + 'static) -> Run<T> {
        let output: Rc<RefCell<Option<T>>> = Rc::default();
        let place = Rc::clone(&output);
        let future = async move {
            let result = future.await;
            *place.borrow_mut() = Some(result);
        };
        self.tasks.push(Some(Task {
            future: Box::pin(future),
            woken: Arc::new(Woken(AtomicBool::new(true))),
        }));
        let task = self.tasks.len() - 1;
        Run { task, output }
    }

    /// Drops a task as it stands.
    pub(crate) fn kill<T>(&mut self, run: &Run<T>) {
        self.tasks[run.task] = None;
    }

    /// Polls what was woken until nothing is.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        let mut polls = 0;
        while self.step() {
            polls += 1;
            assert!(polls < MAX_POLLS, "polled without end at {:?}", self.time());
        }
    }

    /// Polls one task that was woken, each in its turn; says whether there was one.
    pub(crate) fn step(&mut self) -> bool {
        let woken = |at: &usize| {
            let woken = self.tasks[*at].as_ref().map(|task| &task.woken.0);
            woken.is_some_and(|woken| woken.swap(false, Ordering::SeqCst))
        };
        let count = self.tasks.len();
        let Some(at) = (self.turn..count).chain(0..self.turn).find(woken) else {
            return false;
        };
        self.turn = at + 1;
        let Some(task) = self.tasks[at].as_mut() else {
            return false;
        };
        let waker = Waker::from(Arc::clone(&task.woken));
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.tasks[at] = None;
        }
        true
    }

    /// Moves time on by `span`, from deadline to deadline.
    #[track_caller]
    pub(crate) fn advance(&mut self, span: Duration) {
        let end = self.clock.now().saturating_add(span);
        loop {
            self.settle();
            match self.clock.next_deadline() {
                Some(deadline) if deadline <= end => self.clock.advance_to(deadline),
                _ if self.clock.now() < end => self.clock.advance_to(end),
                _ => return,
            }
        }
    }

    /// What a task came to, which it has to without time moving on.
    #[track_caller]
    pub(crate) fn over<T>(&mut self, run: Run<T>) -> T {
        self.settle();
        run.output.take().expect("a task that is over")
    }

    #[track_caller]
    pub(crate) fn is_over<T>(&mut self, run: &Run<T>) -> bool {
        self.settle();
        run.output.borrow().is_some()
    }

    /// What a task comes to; time moves on until it does.
    #[track_caller]
    pub(crate) fn finish<T>(&mut self, run: Run<T>) -> T {
        loop {
            if self.is_over(&run) {
                return self.over(run);
            }
            let next = self.clock.next_deadline();
            self.clock
                .advance_to(next.expect("a task that is not over waits for something"));
        }
    }

    /// Begins a task and brings it to its end.
    #[track_caller]
    pub(crate) fn run<T: 'static>(&mut self, future: impl Future<Output = T> + 'static) -> T {
        let run = self.start(future);
        self.finish(run)
    }
}

/// Is over once `span` has passed since the call.
pub(crate) fn after(clock: &ManualClock, span: Duration) -> After {
    After {
        clock: clock.clone(),
        end: clock.now().saturating_add(span),
        alarm: Alarm::default(),
    }
}

#[must_use]
pub(crate) struct After {
    clock: ManualClock,
    end: Timestamp,
    alarm: Alarm,
}

impl Future for After {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.end {
            return Poll::Ready(());
        }
        self.alarm = self.clock.wake_at(self.end, context.waker().clone());
        Poll::Pending
    }
}

/// Comes back at the next poll, for which it asks.
pub(crate) fn give_way() -> impl Future<Output = ()> + Send {
    let mut asked = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Something that happens once, and whoever waits for it.
#[derive(Clone, Default)]
pub(crate) struct Signal(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Signal {
    pub(crate) fn give(&self) {
        let wakers = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            std::mem::take(&mut state.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn given(&self) -> impl Future<Output = ()> + Send + use<> {
        let own = self.clone();
        std::future::poll_fn(move |context| {
            let mut state = own.0.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(context.waker().clone());
            Poll::Pending
        })
    }
}

/// How many are inside something at a time, and were at most.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<(AtomicUsize, AtomicUsize)>);

pub(crate) struct Inside(Gauge);

impl Gauge {
    pub(crate) fn enter(&self) -> Inside {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    pub(crate) fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
