//! Requests and responses as text and bytes.

/// A request to SQS, as an HTTP server or client passes it on.
///
/// # Examples
/// ```
/// use requeue::aws::Request;
///
/// let request = Request::post("/", br#"{"QueueName":"jobs"}"#).header("X-Amz-Target", "AmazonSQS.CreateQueue");
/// assert_eq!(request.headers[0].0, "X-Amz-Target");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// `POST` or `GET`.
    pub method: String,
    /// The path with the query string, if there is one.
    pub path: String,
    /// Names, in any letter case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers and body.
    ///
    /// # Examples
    /// ```
    /// # use requeue::aws::Request;
    /// assert_eq!(Request::new("GET", "/?Action=ListQueues").body, b"");
    /// ```
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            ..Self::default()
        }
    }

    /// A `POST` with a body.
    ///
    /// # Examples
    /// ```
    /// # use requeue::aws::Request;
    /// assert_eq!(Request::post("/", "Action=ListQueues").method, "POST");
    /// ```
    pub fn post(path: impl Into<String>, body: impl AsRef<[u8]>) -> Self {
        Self {
            body: body.as_ref().to_vec(),
            ..Self::new("POST", path)
        }
    }

    /// The request with one header more.
    ///
    /// # Examples
    /// ```
    /// # use requeue::aws::Request;
    /// let request = Request::new("GET", "/").header("Accept", "application/json");
    /// assert_eq!(request.headers, [("Accept".to_owned(), "application/json".to_owned())]);
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The first header of this name, in any letter case.
    pub(super) fn header_named(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }
}

/// The answer to a [`Request`].
///
/// # Examples
/// ```
/// use requeue::{Service, aws::{Endpoint, Request}};
///
/// let request = Request::post("/", "{}").header("X-Amz-Target", "AmazonSQS.ListQueues");
/// let response = pollster::block_on(Endpoint::new(&Service::new()).handle(request));
/// assert_eq!((response.status, response.body.as_slice()), (200, b"{}".as_slice()));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names and values; the length of the body is left to who sends it.
    pub headers: Vec<(&'static str, String)>,
    /// The body, whole; empty for an action without output.
    pub body: Vec<u8>,
}

impl Response {
    /// A response with room for the headers that every answer has.
    pub(super) fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        let mut headers = Vec::with_capacity(3);
        headers.push(("Content-Type", content_type.to_owned()));
        Self { status, headers, body }
    }
}
