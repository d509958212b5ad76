//! [`FaultyService`]: the queues of a service behind a faulty network.

use {
    super::{
        faults::{FaultError, Faults},
        faulty::FaultyQueue,
    },
    crate::{clock::ManualClock, service::Service, state::mix, sync::Mutex},
    std::{collections::BTreeMap, sync::Arc},
};

/// A [`Service`] under a [`ManualClock`] whose queues meet [`Faults`], all drawn from one seed.
///
/// Every queue draws from a stream of its own, made of the seed and its name: what is called on one queue changes
/// nothing of what strikes another, though a clock that jumps is everybody's. A script counts the opportunities of each
/// queue. What is done by the service itself, creating and deleting queues for example, meets no fault, nor do dead
/// letters and move tasks on their way.
///
/// A handle: all clones are one network.
///
/// # Examples
/// ```
/// use requeue::{ManualClock, QueueAttributes, Service, testing::{CallError, Fault, Faults, FaultyService}};
///
/// let clock = ManualClock::default();
/// let service = Service::builder().clock(clock.clone()).seed(1).build();
/// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
/// let faulty = FaultyService::new(&service, &clock, Faults::none().with(Fault::SendResponseLost, 1.0), 1)?;
/// assert_eq!(faulty.queue("jobs")?.send("resize cat.png"), Err(CallError::ResponseLost));
/// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultyService {
    service: Service,
    clock: ManualClock,
    faults: Faults,
    seed: u64,
    queues: Arc<Mutex<BTreeMap<String, FaultyQueue>>>,
}

impl FaultyService {
    /// Puts faults before the queues of a service, which has to run on `clock`.
    ///
    /// # Errors
    /// [`FaultError::Probability`]. A fault that is not legal on a FIFO queue is the error of that queue.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Service, testing::{Fault, Faults, FaultyService}};
    /// let clock = ManualClock::default();
    /// let service = Service::builder().clock(clock.clone()).build();
    /// let error = FaultyService::new(&service, &clock, Faults::none().with(Fault::ClockJump, 2.0), 1).unwrap_err();
    /// assert_eq!(error.to_string(), "the probability of ClockJump is 2, which is not between 0 and 1");
    /// ```
    pub fn new(service: &Service, clock: &ManualClock, faults: Faults, seed: u64) -> Result<Self, FaultError> {
        faults.check()?;
        Ok(Self {
            service: service.clone(),
            clock: clock.clone(),
            faults,
            seed,
            queues: Arc::default(),
        })
    }

    /// The queue with this name, URL or ARN; asked for again, another handle of the same.
    ///
    /// A queue that was deleted and created again is another queue, whose stream begins anew.
    ///
    /// # Errors
    /// [`FaultError::Queue`] if the service knows no such queue, [`FaultError::NotOnFifo`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, QueueAttributes, QueueError, Service};
    /// # use requeue::testing::{Fault, FaultError, Faults, FaultyService};
    /// # let clock = ManualClock::default();
    /// # let service = Service::builder().clock(clock.clone()).build();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// service.create_queue("orders.fifo", QueueAttributes::new().fifo_queue(true))?;
    /// let faulty = FaultyService::new(&service, &clock, Faults::none().with(Fault::Reordered, 0.5), 1)?;
    /// assert!(faulty.queue("https://sqs.us-east-1.amazonaws.com/000000000000/jobs").is_ok());
    /// assert!(matches!(faulty.queue("orders.fifo"), Err(FaultError::NotOnFifo { .. })));
    /// assert_eq!(faulty.queue("nobody").unwrap_err(), FaultError::Queue(QueueError::QueueDoesNotExist));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue(&self, queue: &str) -> Result<FaultyQueue, FaultError> {
        let queue = self.service.queue(queue)?;
        let mut queues = self.queues.lock();
        if let Some(known) = queues.get(queue.name()).filter(|known| known.queue().is(&queue)) {
            return Ok(known.clone());
        }
        let (name, seed) = (queue.name().to_owned(), self.seed_of(queue.name()));
        let faulty = FaultyQueue::new(&queue, &self.clock, self.faults.clone(), seed)?;
        let before = queues.insert(name, faulty.clone());
        drop(queues);
        drop(before);
        Ok(faulty)
    }

    fn seed_of(&self, name: &str) -> u64 {
        name.bytes()
            .fold(mix(self.seed), |seed, byte| mix(seed ^ u64::from(byte)))
    }
}
