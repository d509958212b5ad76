//! What the wire protocols cost: the same cycle of send, receive and delete by the native calls, through
//! `aws::Endpoint::handle` in both protocols, and over loopback HTTP.
//!
//! `cargo bench --bench endpoint --features aws-protocol` prints the first two; `-- --addr 127.0.0.1:9324` adds the
//! third, against a running `sqs_endpoint`:
//!
//! ```text
//! cargo run --release -p sqs_endpoint -- --queue bench
//! ```
//!
//! Body of 256 bytes. Eight keep-alive connections, a thread each, take turns on the two processors with the server, so
//! the last figure is one of the pair and not of the server alone.
//!
//! Figures and goals are in `benches/README.md`.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

#[allow(dead_code, unused_imports, reason = "this bench prints a table of its own")]
mod driver;

use {
    driver::Options,
    requeue::{
        QueueAttributes, Service,
        aws::{Endpoint, Request},
    },
    std::{
        hint::black_box,
        io::{BufRead, BufReader, Read, Write},
        net::TcpStream,
        process::ExitCode,
        thread,
        time::{Duration, Instant},
    },
};

const CONNECTIONS: usize = 8;

fn main() -> ExitCode {
    let options = match Options::read("endpoint", &["--quick", "--addr"], &[]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let span = Duration::from_millis(options.scale.of(1_000) as u64);
    let body = "x".repeat(256);
    let native = best(span, || native_cycle(&body));
    let json = best(span, || json_cycle(&body));
    let query = best(span, || query_cycle(&body));
    println!("{:<24} {:>10} {:>8}", "cycle", "ns", "ratio");
    for (name, nanoseconds) in [("native", native), ("handle, JSON", json), ("handle, query", query)] {
        println!("{name:<24} {nanoseconds:>10.0} {:>8.1}", nanoseconds / native);
    }
    if let Some(address) = &options.address {
        println!(
            "{:<24} {:>10.0} cycles/s",
            "loopback, 8 connections",
            loopback(address, &body, span * 5)
        );
    }
    ExitCode::SUCCESS
}

/// The least of five measurements, each of which makes its cycle and runs it again and again.
fn best<C: FnMut()>(span: Duration, make: impl Fn() -> C) -> f64 {
    let measure = |_| {
        let mut cycle = make();
        let (begun, mut cycles) = (Instant::now(), 0_u32);
        while begun.elapsed() < span {
            (0..100).for_each(|_| cycle());
            cycles += 100;
        }
        begun.elapsed().as_nanos() as f64 / f64::from(cycles)
    };
    (0..5).map(measure).fold(f64::INFINITY, f64::min)
}

fn native_cycle(body: &str) -> impl FnMut() {
    let queue = Service::new()
        .create_queue("bench", QueueAttributes::new())
        .expect("a new queue");
    move || {
        queue.send(body).expect("there is room");
        for message in queue.receive().blocking().expect("a legal receive") {
            message.delete().expect("a message of this queue");
        }
    }
}

/// `handle` with three requests; the receipt handle is cut out of the answer as a string.
fn endpoint_cycle(
    send: Request,
    receive: Request,
    delete: impl Fn(&str) -> Request,
    quote: &'static str,
) -> impl FnMut() {
    let service = Service::new();
    let _ = service
        .create_queue("bench", QueueAttributes::new())
        .expect("a new queue");
    let endpoint = Endpoint::new(&service);
    let call = move |request: Request| {
        let response = pollster::block_on(endpoint.handle(request));
        assert_eq!(response.status, 200);
        response.body
    };
    move || {
        black_box(call(send.clone()));
        let received = call(receive.clone());
        call(delete(handle_in(&received, quote)));
    }
}

fn handle_in<'a>(body: &'a [u8], end: &str) -> &'a str {
    let text = std::str::from_utf8(body).expect("an answer is text");
    let start = text.find("AQEB").expect("an answer with a receipt handle");
    text[start..].split(end).next().expect("a first part")
}

fn json(action: &str, body: impl AsRef<[u8]>) -> Request {
    Request::post("/", body)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("AmazonSQS.{action}"))
}

fn json_cycle(body: &str) -> impl FnMut() {
    let send = format!(r#"{{"QueueUrl":"bench","MessageBody":"{body}"}}"#);
    endpoint_cycle(
        json("SendMessage", send),
        json("ReceiveMessage", r#"{"QueueUrl":"bench"}"#),
        |handle| json("DeleteMessage", delete_body(handle)),
        "\"",
    )
}

fn delete_body(handle: &str) -> String {
    format!(r#"{{"QueueUrl":"bench","ReceiptHandle":"{handle}"}}"#)
}

fn query_cycle(body: &str) -> impl FnMut() {
    let form = |form: String| Request::post("/", form).header("content-type", "application/x-www-form-urlencoded");
    endpoint_cycle(
        form(format!(
            "Action=SendMessage&Version=2012-11-05&QueueUrl=bench&MessageBody={body}"
        )),
        form("Action=ReceiveMessage&Version=2012-11-05&QueueUrl=bench".to_owned()),
        move |handle| {
            let handle = handle.replace('+', "%2B");
            form(format!("Action=DeleteMessage&QueueUrl=bench&ReceiptHandle={handle}"))
        },
        "<",
    )
}

/// Cycles per second of all connections together.
fn loopback(address: &str, body: &str, span: Duration) -> f64 {
    let send = format!(r#"{{"QueueUrl":"bench","MessageBody":"{body}"}}"#);
    let begun = Instant::now();
    let cycles: u32 = thread::scope(|scope| {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::open(address);
                    let mut cycles = 0;
                    while begun.elapsed() < span {
                        connection.call("SendMessage", &send);
                        let received = connection.call("ReceiveMessage", r#"{"QueueUrl":"bench"}"#);
                        connection.call("DeleteMessage", &delete_body(handle_in(&received, "\"")));
                        cycles += 1;
                    }
                    cycles
                })
            })
            .collect();
        connections
            .into_iter()
            .map(|connection| connection.join().expect("no panic"))
            .sum()
    });
    f64::from(cycles) / begun.elapsed().as_secs_f64()
}

/// One keep-alive connection that speaks as much HTTP as the endpoint's answers need.
struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("an endpoint listens there");
        stream.set_nodelay(true).expect("a TCP stream");
        Self {
            stream: BufReader::new(stream),
        }
    }

    fn call(&mut self, action: &str, body: &str) -> Vec<u8> {
        let request = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.0\r\n\
             x-amz-target: AmazonSQS.{action}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .expect("an open connection");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("an open connection");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(given) = line.strip_prefix("content-length: ") {
                length = given.parse().expect("a number");
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).expect("a whole answer");
        answer
    }
}
