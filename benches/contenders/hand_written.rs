//! What people write when they need a visibility timeout and no library: a deque, a map, a heap and a lock.
//!
//! It checks nothing, has no limits, no counters and no delays of its own, and a lease that ended is found only by
//! the next call that receives; a waiting consumer does not wake for it.

use super::{Contender, Holding, Shared};
use parking_lot::{Condvar, Mutex};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(43_200);

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Arc<str>>,
    leased: HashMap<u64, Arc<str>>,
    timeouts: BinaryHeap<Reverse<(Instant, u64)>>,
    last_lease: u64,
}

impl Jobs {
    fn lease(&mut self) -> Option<(u64, Arc<str>)> {
        let now = Instant::now();
        self.return_overdue(now);
        let body = self.waiting.pop_front()?;
        let lease = self.lease_until(now + VISIBILITY_TIMEOUT, Arc::clone(&body));
        Some((lease, body))
    }

    fn lease_until(&mut self, end: Instant, body: Arc<str>) -> u64 {
        self.last_lease += 1;
        self.leased.insert(self.last_lease, body);
        self.timeouts.push(Reverse((end, self.last_lease)));
        self.last_lease
    }

    fn return_overdue(&mut self, now: Instant) {
        while let Some(&Reverse((end, lease))) = self.timeouts.peek() {
            if end > now {
                break;
            }
            self.timeouts.pop();
            self.waiting.extend(self.leased.remove(&lease));
        }
    }

    /// The heap keeps the timeouts of finished jobs until they outnumber the others.
    fn finish(&mut self, lease: u64) {
        self.leased.remove(&lease);
        if self.timeouts.len() > 64 + 2 * self.leased.len() {
            let leased = &self.leased;
            self.timeouts.retain(|Reverse((_, lease))| leased.contains_key(lease));
        }
    }
}

#[derive(Default)]
pub(crate) struct HandWritten {
    jobs: Mutex<Jobs>,
    sent: Condvar,
}

impl HandWritten {
    fn receive(&self) -> (u64, Arc<str>) {
        self.jobs.lock().lease().expect("a message was sent")
    }
}

impl Contender for HandWritten {
    const NAME: &'static str = "hand-written";

    fn open() -> Self {
        Self::default()
    }

    fn send(&self, body: &str) {
        let body = Arc::from(body);
        self.jobs.lock().waiting.push_back(body);
        self.sent.notify_one();
    }

    fn take(&self) {
        let (lease, body) = self.receive();
        black_box(&*body);
        self.jobs.lock().finish(lease);
    }
}

impl Holding for HandWritten {
    fn hold(&self) {
        self.receive();
    }

    fn send_delayed(&self, body: &str, delay: Duration) {
        let body = Arc::from(body);
        self.jobs.lock().lease_until(Instant::now() + delay, body);
    }
}

impl Shared for HandWritten {
    fn take_waiting(&self) {
        let mut jobs = self.jobs.lock();
        let (lease, body) = loop {
            if let Some(job) = jobs.lease() {
                break job;
            }
            self.sent.wait(&mut jobs);
        };
        drop(jobs);
        black_box(&*body);
        self.jobs.lock().finish(lease);
    }
}
