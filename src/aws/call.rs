//! One request to an endpoint, as the actions see it.

use {
    super::{
        digest::Recent,
        fault::Fault,
        host,
        http::Request,
        throttle::{Load, Throttle},
    },
    crate::{queue::Queue, service::Service},
};

/// What an endpoint consists of.
pub(super) struct EndpointParts {
    pub(super) service: Service,
    /// `None` if quotas of calls are not enforced.
    pub(super) throttle: Option<Throttle>,
    pub(super) host_urls: bool,
    pub(super) recent: Recent,
}

/// One request under way, as the actions see it.
#[derive(Clone, Copy)]
pub(super) struct Call<'request> {
    pub(super) parts: &'request EndpointParts,
    pub(super) request: &'request Request,
}

impl Call<'_> {
    pub(super) fn service(&self) -> &Service {
        &self.parts.service
    }

    /// The queue that `address` names: a URL by its last two segments, or a bare name (Q6, Q7, X10).
    pub(super) fn queue(&self, address: &str) -> Result<Queue, Fault> {
        if !self.service().is_queue_address(address) {
            return Err(Fault::invalid_address(address));
        }
        Ok(self.service().queue(address)?)
    }

    /// The URL of a queue as the client is to see it.
    pub(super) fn url(&self, url: &str) -> String {
        let asked = self.parts.host_urls;
        match asked.then(|| host::of(self.request)).flatten() {
            Some(host) => host::replace(url, host),
            None => url.to_owned(),
        }
    }

    /// Counts the call against the quotas of its queue, if the endpoint enforces them.
    pub(super) fn admit(&self, queue: &Queue, load: Load<'_>) -> Result<(), Fault> {
        match &self.parts.throttle {
            Some(throttle) => throttle.admit(self.service(), queue, load),
            None => Ok(()),
        }
    }

    /// Counts what a call that was admitted has received.
    pub(super) fn received(&self, queue: &Queue, messages: usize) {
        if let Some(throttle) = &self.parts.throttle {
            throttle.received(self.service(), queue, messages);
        }
    }
}
