//! The services behind the address, one per account and region.

use {
    crate::options::{self, Options},
    requeue::{
        CreateQueueError, Limits, QueueAttributes, Service,
        aws::{Endpoint, Request},
    },
    std::{
        collections::HashMap,
        net::SocketAddr,
        sync::{Mutex, PoisonError},
        time::Duration,
    },
};

/// More accounts and regions than this are not opened: whoever asks for another one gets the default.
const MAX_ENDPOINTS: usize = 10_000;

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Scope {
    account_id: String,
    region: String,
}

pub(crate) struct Regions {
    /// What queue URLs begin with where no request says it better.
    url: String,
    host_urls: bool,
    limits: Limits,
    throttling: bool,
    default: Scope,
    endpoints: Mutex<HashMap<Scope, Endpoint>>,
}

impl Regions {
    pub(crate) fn new(options: &Options, address: SocketAddr) -> Self {
        let mut limits = Limits::aws();
        if !options.purge_cooldown {
            limits.purge_interval = Duration::ZERO;
        }
        if !options.recreate_cooldown {
            limits.recreate_interval = Duration::ZERO;
        }
        Self {
            url: options.public_url.clone().unwrap_or_else(|| url(address)),
            host_urls: options.public_url.is_none(),
            limits,
            throttling: options.throttling,
            default: Scope {
                account_id: options.account_id.clone(),
                region: options.region.clone(),
            },
            endpoints: Mutex::default(),
        }
    }

    /// The URL of a queue of the default account and region.
    pub(crate) fn create_queue(&self, name: &str) -> Result<String, CreateQueueError> {
        let attributes = QueueAttributes::new();
        let attributes = if name.ends_with(".fifo") {
            attributes.fifo_queue(true)
        } else {
            attributes
        };
        let endpoint = self.endpoint_of(self.default.clone());
        let queue = endpoint.service().create_queue(name, attributes)?;
        Ok(queue.url().to_owned())
    }

    /// The endpoint that a request is for.
    pub(crate) fn endpoint(&self, request: &Request) -> Endpoint {
        self.endpoint_of(self.scope(request))
    }

    fn endpoint_of(&self, scope: Scope) -> Endpoint {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let full = endpoints.len() >= MAX_ENDPOINTS && !endpoints.contains_key(&scope);
        let scope = if full { self.default.clone() } else { scope };
        let open = || {
            let service = Service::builder()
                .limits(self.limits.clone())
                .account_id(&scope.account_id)
                .region(&scope.region)
                .endpoint_url(format!("{}/{}", self.url, scope.region))
                .build();
            let endpoint = Endpoint::builder(&service).throttling(self.throttling);
            endpoint.host_urls(self.host_urls).build()
        };
        endpoints.entry(scope.clone()).or_insert_with(open).clone()
    }

    /// Account and region by the credential scope, else by the path of a queue URL, else the default.
    fn scope(&self, request: &Request) -> Scope {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let header = |name: &str| {
            let mut headers = request.headers.iter();
            headers
                .find(|(header, _)| header.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        let in_header = header("Authorization").and_then(|header| between(header, "Credential=", ","));
        let in_query = between(query, "X-Amz-Credential=", "&")
            .map(|credential| credential.replace("%2F", "/").replace("%2f", "/"));
        let credential = in_header.map(str::to_owned).or(in_query).unwrap_or_default();
        let mut parts = credential.split('/');
        let (key, region) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
        let mut segments = path.trim_matches('/').rsplit('/').skip(1);
        let (path_account, path_region) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        let account_id = options::account_id(key).or_else(|_| options::account_id(path_account));
        let region = options::region(region).or_else(|_| options::region(path_region));
        Scope {
            account_id: account_id.unwrap_or_else(|_| self.default.account_id.clone()),
            region: region.unwrap_or_else(|_| self.default.region.clone()),
        }
    }
}

/// Where a client on this machine reaches the server: no connection goes to an address of zeros.
fn url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

/// What stands in `text` after `start` and before `end` or the end of the text.
pub(crate) fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split(end).next().unwrap_or(rest))
}
