//! A service, a client of the SDK on it, and the clock of both.

pub(crate) use crate::common::now;

use {
    crate::common::wait_for,
    aws_sdk_sqs::{Client, types::QueueAttributeName},
    requeue::{Clock, Limits, ManualClock, Queue, Service},
    std::{
        pin::Pin,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

pub(crate) const WAIT: Duration = Duration::from_secs(20);

pub(crate) struct Door {
    pub(crate) clock: ManualClock,
    pub(crate) service: Service,
    pub(crate) client: Client,
}

impl Door {
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        let clock = ManualClock::default();
        let service = Service::builder().clock(clock.clone()).seed(1).limits(limits).build();
        let client = Client::new(&service.sdk_config());
        Self { clock, service, client }
    }

    /// Creates a queue through the client; its URL.
    pub(crate) fn create<'a>(
        &self,
        name: &str,
        attributes: impl IntoIterator<Item = (QueueAttributeName, &'a str)>,
    ) -> String {
        let mut create = self.client.create_queue().queue_name(name);
        for (name, value) in attributes {
            create = create.attributes(name, value);
        }
        now(create.send()).unwrap().queue_url.unwrap()
    }

    pub(crate) fn send(&self, url: &str, body: &str) {
        let send = self.client.send_message().queue_url(url).message_body(body);
        now(send.send()).unwrap();
    }

    /// The bodies that a short poll of ten brings.
    pub(crate) fn receive(&self, url: &str) -> Vec<String> {
        let receive = self.client.receive_message().queue_url(url).max_number_of_messages(10);
        let messages = now(receive.send()).unwrap().messages.unwrap_or_default();
        messages.into_iter().map(|message| message.body.unwrap()).collect()
    }

    /// The receipt handle of the message that a short poll of one brings.
    pub(crate) fn take(&self, url: &str) -> String {
        let received = now(self.client.receive_message().queue_url(url).send()).unwrap();
        received.messages()[0].receipt_handle().unwrap().to_owned()
    }

    pub(crate) fn queue(&self, url: &str) -> Queue {
        self.service.queue(url).unwrap()
    }

    /// Moves time from deadline to deadline until the call is over; its result, and how long it took.
    pub(crate) fn run<T>(&self, call: impl Future<Output = T>) -> (T, Duration) {
        let start = self.clock.now();
        let result = wait_for(&self.clock, call);
        (result, self.clock.now().saturating_duration_since(start))
    }
}

pub(crate) fn poll<T>(call: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    call.poll(&mut Context::from_waker(Waker::noop()))
}

/// Asserts that a call fails with this error of the model, under the code that SQS has always had for it.
macro_rules! assert_refused {
    ($call:expr, $predicate:ident, $code:expr) => {{
        let error = $crate::sdk::door::now($call.send()).unwrap_err().into_service_error();
        assert!(error.$predicate(), "{error:?}");
        assert_eq!(aws_sdk_sqs::error::ProvideErrorMetadata::code(&error), Some($code));
    }};
}
pub(crate) use assert_refused;
