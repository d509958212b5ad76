//! The queues of a case as the service that an AWS SDK calls.

use {
    crate::{clock::ManualClock, queue::Queue, service::Service, sync::Mutex},
    aws_smithy_runtime_api::client::http::SharedHttpClient,
    std::{
        fmt,
        sync::atomic::{AtomicBool, Ordering},
    },
};

/// The queues of a case as a service, and what its clients have in common.
pub(in crate::testing) struct SdkService {
    pub(in crate::testing) service: Service,
    /// The way to the service on which no fault strikes.
    pub(in crate::testing) http_client: SharedHttpClient,
    pub(in crate::testing) region: RetryRegion,
}

impl SdkService {
    pub(super) fn new<'q>(clock: &ManualClock, queues: impl Iterator<Item = &'q Queue> + Clone) -> Self {
        // What is drawn from the seed are ids of requests and what queues need that clients create.
        let mut builder = Service::builder().clock(clock.clone()).seed(0);
        if let Some(queue) = queues.clone().next() {
            builder = builder.limits(queue.limits_in_force().clone());
        }
        let service = builder.build();
        queues.for_each(|queue| service.adopt(queue));
        Self {
            http_client: SharedHttpClient::new(service.sdk_http_client()),
            service,
            region: RetryRegion::fresh(),
        }
    }
}

/// The regions that no case has.
struct Regions {
    unspent: Vec<u64>,
    named: u64,
}

static REGIONS: Mutex<Regions> = Mutex::new(Regions {
    unspent: Vec::new(),
    named: 0,
});

/// A region of one case alone.
///
/// The SDK has one budget of retries for each region of the process, for good. Cases with a common one would decide over
/// each other's retries.
pub(in crate::testing) struct RetryRegion {
    number: u64,
    /// Something may have been taken from the budget.
    spent: AtomicBool,
}

impl RetryRegion {
    fn fresh() -> Self {
        let mut regions = REGIONS.lock();
        let number = regions.unspent.pop().unwrap_or_else(|| {
            regions.named += 1;
            regions.named
        });
        Self {
            number,
            spent: AtomicBool::new(false),
        }
    }

    /// A retry was made, or may follow.
    pub(in crate::testing) fn spend(&self) {
        self.spent.store(true, Ordering::Relaxed);
    }
}

impl fmt::Display for RetryRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "us-east-1-case-{}", self.number)
    }
}

impl Drop for RetryRegion {
    fn drop(&mut self) {
        if !*self.spent.get_mut() {
            REGIONS.lock().unspent.push(self.number);
        }
    }
}
