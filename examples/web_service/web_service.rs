//! An HTTP service that takes jobs: it answers at once, works them off in the background, shows metrics and traces, and
//! ends what is begun when it stops. What still waits then is lost with the process, whose memory the queue lives in.
//!
//! `cargo run -p web_service` sends itself a few jobs over a loopback socket and stops.
//! With an address, as `-- 127.0.0.1:8080`, it serves until Ctrl-C: `curl -d 640 http://127.0.0.1:8080/jobs` sends a job,
//! `curl http://127.0.0.1:8080/report` shows how the runner is doing, and `/metrics` is for Prometheus.
use {
    axum::{
        Router,
        extract::State,
        http::StatusCode,
        routing::{get, post},
    },
    metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle},
    requeue::{
        Budget, Queue, SendError,
        backend::Backoff,
        worker::{FailurePolicy, Job, Runner, RunnerHandle},
    },
    std::{env, error::Error, future::Future, io, net::SocketAddr, time::Duration},
    tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        signal, time,
    },
};

#[derive(Clone)]
struct Service {
    jobs: Queue,
    runner: RunnerHandle,
    metrics: PrometheusHandle,
}

/// Takes a job; a full queue says so instead of using up the memory.
async fn accept(State(service): State<Service>, job: String) -> (StatusCode, String) {
    match service.jobs.send(job) {
        Ok(sent) => (StatusCode::ACCEPTED, format!("{}\n", sent.message_id)),
        Err(error @ SendError::QueueFull { .. }) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

async fn report(State(service): State<Service>) -> String {
    format!("{}\n", service.runner.report())
}

async fn metrics(State(service): State<Service>) -> String {
    service.metrics.render()
}

/// What a job is: a number of pixels. Whatever is none fails, is tried again, and ends in the dead-letter queue.
async fn resize(job: Job) -> Result<(), std::num::ParseIntError> {
    let pixels: u32 = job.body().parse()?;
    tracing::info!(pixels, "resizing");
    time::sleep(Duration::from_millis(20)).await;
    Ok(())
}

/// Serves and works until `stop`; then it takes no more requests, and the jobs that are begun end.
async fn serve(listener: TcpListener, stop: impl Future + Send + 'static) -> Result<(), Box<dyn Error>> {
    let metrics_handle = PrometheusBuilder::new().install_recorder()?;
    let failed = Queue::standard("failed").build()?;
    let jobs = Queue::standard("jobs")
        .dead_letter(&failed, 3)
        .budget(Budget::default().messages(100_000))
        .build()?;
    let runner = Runner::builder(&jobs)
        .concurrency(8)
        .failure_policy(FailurePolicy::Backoff(Backoff::new(
            Duration::from_millis(10),
            Duration::from_secs(60),
        )))
        .shutdown_timeout(Duration::from_secs(10))
        .each_async(resize)?;
    let service = Service {
        jobs: jobs.clone(),
        runner: runner.handle(),
        metrics: metrics_handle,
    };
    let routes = Router::new()
        .route("/jobs", post(accept))
        .route("/report", get(report))
        .route("/metrics", get(metrics))
        .with_state(service);
    let worker = runner.handle();
    let server = axum::serve(listener, routes).with_graceful_shutdown(async move {
        stop.await;
    });
    let working = tokio::spawn(runner.run());
    server.await?;
    worker.stop();
    let report = working.await??;
    println!("{report}");
    let counts = jobs.counts();
    println!(
        "jobs that are lost with the process, new or to be tried again: {}; dead letters: {}",
        counts.visible + counts.in_flight,
        failed.counts().visible
    );
    Ok(())
}

/// One request over a connection of its own.
async fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: jobs\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Sends ten jobs and one that is none, and waits until the first ten are done.
async fn try_out(address: SocketAddr) -> io::Result<()> {
    for job in (1..=10)
        .map(|number| (number * 64).to_string())
        .chain(["wide".to_owned()])
    {
        let answer = request(address, "POST", "/jobs", &job).await?;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
    loop {
        let metrics = request(address, "GET", "/metrics", "").await?;
        let done = |line: &&str| line.starts_with("requeue_worker_succeeded_total") && line.ends_with(" 10");
        if let Some(line) = metrics.lines().find(done) {
            println!("{line}");
            return Ok(());
        }
        time::sleep(Duration::from_millis(5)).await;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(start())
}

async fn start() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    println!("serving on http://{}", listener.local_addr()?);
    if address.is_some() {
        return serve(listener, signal::ctrl_c()).await;
    }
    let tried = try_out(listener.local_addr()?);
    serve(listener, async move { tried.await.expect("a loopback socket") }).await
}
