//! The dashboard over HTTP, and its page in a browser.
#![allow(clippy::disallowed_methods, reason = "a server and a browser live in real time")]

mod browser;
mod contrast;
mod guarded;
mod listed;
mod measured;
mod page;
mod settled;
mod shown;
mod watched;

use {
    crate::{
        data::{Dashboard, Memory, Watch},
        server::{Limits, Server},
    },
    requeue::{ManualClock, Queue, QueueAttributes, RedrivePolicy, Service},
    serde_json::Value,
    std::{
        io::{Read, Write},
        net::{SocketAddr, TcpStream},
        thread,
        time::{Duration, Instant},
    },
    tokio::sync::oneshot,
};

/// A service whose time stands still, and what watches it.
struct World {
    clock: ManualClock,
    service: Service,
    watch: Watch,
}

impl World {
    fn new() -> Self {
        Self::remembering(Memory::default())
    }

    fn remembering(memory: Memory) -> Self {
        let (clock, watch) = (ManualClock::default(), Watch::new(memory));
        let service = Service::builder()
            .seed(7)
            .clock(clock.clone())
            .listener(watch.clone())
            .build();
        Self { clock, service, watch }
    }

    fn queue(&self, name: &str) -> Queue {
        let attributes = QueueAttributes::new();
        let fifo = name.ends_with(".fifo");
        let attributes = if fifo { attributes.fifo_queue(true) } else { attributes };
        self.service.create_queue(name, attributes).unwrap()
    }

    /// A queue and its dead-letter queue, for messages that were received `receives` times.
    fn with_dead_letters(&self, name: &str, receives: u32) -> (Queue, Queue) {
        let failed = self.queue(&format!("{name}-failed"));
        let policy = RedrivePolicy::new(failed.arn(), receives);
        let attributes = QueueAttributes::new().redrive_policy(policy);
        (self.service.create_queue(name, attributes).unwrap(), failed)
    }

    fn dashboard(&self) -> Dashboard {
        Dashboard::new(self.service.clone(), self.clock.clone(), self.watch.clone())
    }

    fn site(&self) -> Site {
        Site::start(self.dashboard(), false)
    }
}

/// A server until it is dropped.
struct Site {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Status, head and body of an answer.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

impl Site {
    fn start(dashboard: Dashboard, read_only: bool) -> Self {
        Self::limited(dashboard, read_only, Limits::default())
    }

    fn limited(dashboard: Dashboard, read_only: bool, limits: Limits) -> Self {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = runtime
            .block_on(Server::bind(any_port, dashboard, read_only, limits))
            .unwrap();
        let address = server.address().unwrap();
        let thread = thread::spawn(move || runtime.block_on(server.run_until(stopped)));
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Sends a request as it stands, and reads until the end.
    fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        Answer {
            status: head
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok())
                .unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
    }

    fn host(&self) -> String {
        format!("Host: {}\r\n", self.address)
    }

    fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &self.host(), "")
    }

    fn post(&self, action: &Value) -> Answer {
        let headers = format!("{}Content-Type: application/json\r\n", self.host());
        self.request("POST", "/api/action", &headers, &action.to_string())
    }

    /// The answer in which something holds, of overviews that are made anew now and then.
    fn overview_until(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let overview = self.get("/api/overview").json();
            if holds(&overview) {
                return overview;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{overview:#}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        let ended = self.thread.take().unwrap().join();
        assert!(thread::panicking() || ended.is_ok());
    }
}

/// The row of a queue in an overview.
fn row<'o>(overview: &'o Value, queue: &str) -> &'o Value {
    let rows = overview["queues"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == queue).unwrap()
}
