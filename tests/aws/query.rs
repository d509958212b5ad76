//! The query protocol of the SQS door, and the choice between it and JSON.
#![cfg(feature = "aws-protocol")]

mod actions;
mod addresses;
mod hostile;
mod protocols;
mod reading;
mod survival;
mod unnumbered;

use requeue::{
    ManualClock, Service,
    aws::{Endpoint, Request, Response},
};

const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";
/// The path of the queue `jobs`.
const JOBS: &str = "/123456789012/jobs";
/// What stands for the texts that are drawn at random.
const DRAWN: [&str; 4] = ["MessageId", "ReceiptHandle", "RequestId", "TaskHandle"];

/// A service with nothing in it, behind its endpoint.
struct Door {
    service: Service,
    endpoint: Endpoint,
}

impl Door {
    fn new() -> Self {
        let service = Service::builder().clock(ManualClock::default()).seed(1);
        let service = service.account_id("123456789012").region("eu-west-1").build();
        let endpoint = Endpoint::new(&service);
        Self { service, endpoint }
    }

    /// With a standard queue `jobs`.
    fn with_jobs() -> Self {
        let door = Self::new();
        door.ok("CreateQueue", &[("QueueName", "jobs")]);
        door
    }

    fn ask(&self, request: Request) -> Response {
        pollster::block_on(self.endpoint.handle(request))
    }

    /// What a form posted to the endpoint is answered.
    fn post(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        Answer::read(&self.ask(Request::post("/", form(action, parameters))))
    }

    #[track_caller]
    fn ok(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let answer = self.post(action, parameters);
        assert_eq!(answer.status, 200, "{action}: {}", answer.xml);
        answer
    }

    /// The same for a queue.
    #[track_caller]
    fn of_jobs(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.ok(action, &[&[("QueueUrl", "jobs")], parameters].concat())
    }

    /// The refusal of a form posted to the endpoint.
    #[track_caller]
    fn refused(&self, action: &str, parameters: &[(&str, &str)]) -> (u16, String, String) {
        self.post(action, parameters).error()
    }
}

/// An answer in XML, read by a parser that knows nothing of SQS.
struct Answer {
    status: u16,
    xml: String,
}

impl Answer {
    #[track_caller]
    fn read(response: &Response) -> Self {
        assert_eq!(header(response, "Content-Type"), "text/xml");
        let xml = String::from_utf8(response.body.clone()).unwrap();
        let answer = Self {
            status: response.status,
            xml,
        };
        if answer.status != 404 || answer.xml.contains("RequestId") {
            assert_eq!(answer.text("RequestId"), header(response, "x-amzn-RequestId"));
        }
        answer
    }

    /// The text of the first element of this name.
    #[track_caller]
    fn text(&self, name: &str) -> String {
        let found = self.texts(name).into_iter().next();
        found.unwrap_or_else(|| panic!("no {name} in {}", self.xml))
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(&self.xml).unwrap();
        let elements = document.descendants().filter(|node| node.tag_name().name() == name);
        elements
            .map(|node| node.text().unwrap_or_default().to_owned())
            .collect()
    }

    /// The document as `Name(..)` and `Name=text`, with `*` for what is drawn.
    #[track_caller]
    fn outline(&self) -> String {
        let document = roxmltree::Document::parse(&self.xml).unwrap();
        let namespaces = document.descendants().filter(|node| node.is_element());
        let mut namespaces = namespaces.map(|node| node.tag_name().namespace());
        assert!(namespaces.all(|it| it == Some(NAMESPACE)), "{}", self.xml);
        outline(document.root_element())
    }

    /// Status, code and text of an error, whose form and namespace are checked (W5).
    #[track_caller]
    fn error(&self) -> (u16, String, String) {
        let (code, message) = (self.text("Code"), self.text("Message"));
        let form = format!("ErrorResponse(Error(Type=Sender Code={code} Message={message} Detail=) RequestId=*)");
        assert_eq!(self.outline(), form);
        assert!(self.xml.contains("<Detail/>"));
        (self.status, code, message)
    }
}

fn outline(node: roxmltree::Node<'_, '_>) -> String {
    let name = node.tag_name().name();
    let children: Vec<_> = node
        .children()
        .filter(roxmltree::Node::is_element)
        .map(outline)
        .collect();
    if !children.is_empty() {
        return format!("{name}({})", children.join(" "));
    }
    let text = if DRAWN.contains(&name) {
        "*"
    } else {
        node.text().unwrap_or_default()
    };
    format!("{name}={text}")
}

#[track_caller]
fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let mut headers = response.headers.iter();
    &headers
        .find(|(header, _)| *header == name)
        .unwrap_or_else(|| panic!("no header {name}"))
        .1
}

fn form(action: &str, parameters: &[(&str, &str)]) -> String {
    let parameters = [&[("Action", action), ("Version", "2012-11-05")], parameters].concat();
    let pairs = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let bytes = text.bytes();
    bytes
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

fn refusal(status: u16, code: &str, message: &str) -> (u16, String, String) {
    (status, code.to_owned(), message.to_owned())
}
