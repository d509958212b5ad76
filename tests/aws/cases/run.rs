//! One case against a service of its own.

use {
    super::{
        case::{Answer, Case, Catalogue, Request, Step},
        expect::{Comparison, Saved, matches},
    },
    data_encoding::BASE64,
    requeue::{
        Limits, ManualClock, Service, Timestamp,
        aws::{self, Endpoint},
    },
    serde_json::{Value, json},
    std::{
        collections::BTreeMap,
        fmt::Write,
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::{Context, Poll, Wake, Waker},
        time::Duration,
    },
};

const JSON: &str = "application/x-amz-json-1.0";

pub(crate) struct Run<'case> {
    catalogue: &'case Catalogue,
    clock: ManualClock,
    endpoint: Endpoint,
    saved: Saved,
    waiting: BTreeMap<String, Exchange>,
}

/// A request under way.
struct Exchange {
    future: Pin<Box<dyn Future<Output = aws::Response>>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Exchange {
    fn begin(endpoint: &Endpoint, request: aws::Request) -> Self {
        let endpoint = endpoint.clone();
        Self {
            future: Box::pin(async move { endpoint.handle(request).await }),
            woken: Arc::new(Woken(AtomicBool::new(true))),
        }
    }

    /// The answer, if whoever waits for it has been woken for it.
    fn poll(&mut self) -> Option<aws::Response> {
        let waker = Waker::from(Arc::clone(&self.woken));
        while self.woken.0.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(response) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(response);
            }
        }
        None
    }
}

impl<'case> Run<'case> {
    /// Runs a case to its end or first failure.
    pub(crate) fn of(case: &'case Case, catalogue: &'case Catalogue) -> Result<(), String> {
        let mut run = Self::begin(case, catalogue)?;
        for queue in &case.queues {
            let request = Request {
                action: Some("CreateQueue".to_owned()),
                input: queue.clone(),
                ..Request::default()
            };
            let created = Answer::Output(json!({ "QueueUrl": "$any" }));
            run.exchange(&request, &created)
                .map_err(|problem| format!("queues: {problem}"))?;
        }
        for (at, step) in case.steps.iter().enumerate() {
            run.step(step)
                .map_err(|problem| format!("step {}: {problem}", at + 1))?;
        }
        match run.waiting.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("{name} is waiting at the end")),
        }
    }

    fn begin(case: &Case, catalogue: &'case Catalogue) -> Result<Self, String> {
        let clock = case
            .clock
            .map_or_else(ManualClock::default, |at| ManualClock::at(Timestamp::from_millis(at)));
        let service = Service::builder()
            .clock(clock.clone())
            .seed(1)
            .limits(limits(&case.limits)?)
            .build();
        Ok(Self {
            catalogue,
            clock,
            endpoint: Endpoint::new(&service),
            saved: Saved::default(),
            waiting: BTreeMap::new(),
        })
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Advance(seconds) => {
                self.clock.advance(Duration::from_secs_f64(*seconds));
                Ok(())
            }
            Step::Request(request, answer) => self.exchange(request, answer),
            Step::Wait(request, name) => {
                let mut exchange = Exchange::begin(&self.endpoint, self.request(request)?);
                if let Some(response) = exchange.poll() {
                    return Err(format!("{name} does not wait: {}", text_of(&response)));
                }
                self.waiting.insert(name.clone(), exchange);
                Ok(())
            }
            Step::StillWaiting(name) => match self.exchange_named(name)?.poll() {
                None => Ok(()),
                Some(response) => Err(format!("{name} waits no longer: {}", text_of(&response))),
            },
            Step::Answered(name, answer) => {
                let response = self.exchange_named(name)?.poll();
                let response = response.ok_or_else(|| format!("{name} is still waiting"))?;
                self.waiting.remove(name);
                self.compare(&response, answer)
            }
        }
    }

    fn exchange_named(&mut self, name: &str) -> Result<&mut Exchange, String> {
        self.waiting
            .get_mut(name)
            .ok_or_else(|| format!("{name} is not waiting"))
    }

    fn exchange(&mut self, request: &Request, answer: &Answer) -> Result<(), String> {
        let sent = self.request(request)?;
        let response = Exchange::begin(&self.endpoint, sent).poll();
        let response = response.ok_or("it waits and is not answered")?;
        self.compare(&response, answer)
    }

    fn request(&self, request: &Request) -> Result<aws::Request, String> {
        let body = match (&request.body, &request.body_base64) {
            (Some(text), None) => self.saved.fill(text)?.as_str().unwrap_or_default().as_bytes().to_vec(),
            (None, Some(base64)) => BASE64.decode(base64.as_bytes()).map_err(|error| error.to_string())?,
            (None, None) => self.saved.fill(&request.input)?.to_string().into_bytes(),
            (Some(_), Some(_)) => return Err("two bodies".to_owned()),
        };
        let path = self.saved.fill_text(request.path.as_deref().unwrap_or("/"))?;
        let mut headers = BTreeMap::new();
        if let Some(action) = &request.action {
            headers.insert("Content-Type".to_owned(), JSON.to_owned());
            headers.insert("X-Amz-Target".to_owned(), format!("AmazonSQS.{action}"));
        }
        for (name, value) in &request.headers {
            match value.as_str() {
                Some(text) => headers.insert(name.clone(), text.to_owned()),
                None => headers.remove(name),
            };
        }
        let bare = aws::Request::post(path, body);
        let mut sent = headers
            .into_iter()
            .fold(bare, |sent, (name, value)| sent.header(name, value));
        if let Some(method) = &request.method {
            sent.method.clone_from(method);
        }
        Ok(sent)
    }

    fn compare(&mut self, response: &aws::Response, answer: &Answer) -> Result<(), String> {
        let mut expected = match answer {
            Answer::Nothing => json!({ "status": 200, "headers": { "content-type": JSON }, "body": "" }),
            Answer::Output(body) => json!({ "status": 200, "headers": { "content-type": JSON }, "body": body }),
            Answer::Error { name, message } => {
                let error = self.catalogue.get(name)?;
                json!({
                    "status": error.status,
                    "headers": { "content-type": JSON, "x-amzn-query-error": format!("{};Sender", error.query) },
                    "body": { "__type": error.kind, "message": message },
                })
            }
            Answer::Other { status, headers, text } => return self.compare_other(response, *status, headers, text),
        };
        expected["headers"]["x-amzn-requestid"] = "$uuid".into();
        self.report(&expected, &tree_of(response))
    }

    /// An answer of which no more is said than what the case says.
    fn compare_other(
        &mut self,
        response: &aws::Response,
        status: u64,
        headers: &serde_json::Map<String, Value>,
        text: &Option<String>,
    ) -> Result<(), String> {
        let mut actual = tree_of(response);
        let mut expected = json!({ "status": status, "headers": { "x-amzn-requestid": "$uuid" } });
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_null()) {
            expected["headers"][name.to_lowercase()] = value.clone();
        }
        let named = |name: &String| *name == "x-amzn-requestid" || headers.keys().any(|it| it.to_lowercase() == *name);
        actual["headers"]
            .as_object_mut()
            .ok_or("no headers")?
            .retain(|name, _| named(name));
        let found = String::from_utf8_lossy(&response.body);
        expected["body"] = match text {
            Some(template) if !matches(&self.saved.fill_text(template)?, &found) => template.clone().into(),
            _ => actual["body"].clone(),
        };
        self.report(&expected, &actual)
    }

    fn report(&mut self, expected: &Value, actual: &Value) -> Result<(), String> {
        let Comparison { expected, differences } = self.saved.compare(expected, actual)?;
        if differences.is_empty() {
            return Ok(());
        }
        let mut report = String::from("the answer differs");
        for difference in differences {
            write!(report, "\n  {difference}").map_err(|error| error.to_string())?;
        }
        Err(format!("{report}\nexpected {expected:#}\nactual   {actual:#}"))
    }
}

/// An answer as one tree, its body read as JSON if it is that.
fn tree_of(response: &aws::Response) -> Value {
    let headers = response
        .headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.as_str().into()));
    let body = String::from_utf8_lossy(&response.body);
    json!({
        "status": response.status,
        "headers": Value::Object(headers.collect()),
        "body": serde_json::from_str::<Value>(&body).unwrap_or_else(|_| body.into()),
    })
}

fn text_of(response: &aws::Response) -> String {
    tree_of(response).to_string()
}

/// The quotas of the service, with those that a case wants lower.
fn limits(given: &[(String, u64)]) -> Result<Limits, String> {
    let mut limits = Limits::aws();
    for (name, limit) in given {
        let field = match name.as_str() {
            "in_flight_fifo" => &mut limits.in_flight_fifo,
            "in_flight_standard" => &mut limits.in_flight_standard,
            "list_results" => &mut limits.list_results,
            "move_tasks_active" => &mut limits.move_tasks_active,
            _ => return Err(format!("no limit of this name can be set: {name}")),
        };
        *field = usize::try_from(*limit).map_err(|error| error.to_string())?;
    }
    Ok(limits)
}
