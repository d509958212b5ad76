//! HTTP before the endpoint: connections, limits, patience.
#![allow(clippy::disallowed_methods, reason = "a log measures real time")]

use {
    crate::{log::Line, options::Options, regions::Regions, say},
    http_body_util::{BodyExt, Full, LengthLimitError, Limited},
    hyper::{
        StatusCode,
        body::{Body, Bytes, Incoming},
        server::conn::http1,
        service::service_fn,
    },
    hyper_util::{
        rt::{TokioIo, TokioTimer},
        server::graceful::GracefulShutdown,
    },
    requeue::aws::{Request, Response},
    std::{
        convert::Infallible,
        future::Future,
        io,
        net::SocketAddr,
        sync::Arc,
        time::{Duration, Instant},
    },
    tokio::{net::TcpListener, time},
};

/// A batch of 1 MiB takes this much if every character of it is escaped.
const MAX_BODY: usize = 8 * 1_024 * 1_024;

/// How long a client may take to send a request's head, and then its body.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long answers under way may take once the server is to stop.
const FAREWELL: Duration = Duration::from_secs(1);

pub(crate) struct Server {
    listener: TcpListener,
    log: bool,
}

impl Server {
    pub(crate) async fn bind(options: &Options) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(options.address).await?,
            log: options.log,
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is done, then ends: idle connections at once, answers under way within [`FAREWELL`].
    pub(crate) async fn run_until(
        self,
        stop: impl Future<Output = io::Result<()>>,
        regions: Arc<Regions>,
    ) -> io::Result<()> {
        let graceful = Arc::new(GracefulShutdown::new());
        let accepting = tokio::spawn(accept(self.listener, self.log, Arc::clone(&graceful), regions));
        stop.await?;
        accepting.abort();
        // Once the accepting task is gone, nobody else holds it.
        let _ = accepting.await;
        if let Some(graceful) = Arc::into_inner(graceful) {
            let _ = time::timeout(FAREWELL, graceful.shutdown()).await;
        }
        Ok(())
    }
}

async fn accept(listener: TcpListener, log: bool, graceful: Arc<GracefulShutdown>, regions: Arc<Regions>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: some will be free again.
            time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // An answer goes out in one piece, and must not wait for the client's acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let regions = Arc::clone(&regions);
        let answer = service_fn(move |request| answer(Arc::clone(&regions), log, request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), answer);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // The client has gone or speaks no HTTP; there is nobody to tell.
            let _ = connection.await;
        });
    }
}

type HttpResponse = hyper::Response<Full<Bytes>>;

async fn answer(
    regions: Arc<Regions>,
    log: bool,
    request: hyper::Request<Incoming>,
) -> Result<HttpResponse, Infallible> {
    let begun = Instant::now();
    let (head, body) = request.into_parts();
    let (response, line) = match read(body).await {
        Ok(body) => {
            let request = translate(&head, body);
            let line = log.then(|| Line::of(&request));
            let response = regions.endpoint(&request).handle(request).await;
            let line = line.map(|line| line.answered(&response));
            (respond(response), line)
        }
        Err(status) => (refuse(status), log.then(|| format!("{} - -", status.as_u16()))),
    };
    if let Some(line) = line {
        say(format_args!("{line} {:.1?}", begun.elapsed()));
    }
    Ok(response)
}

/// The whole body, or the status that refuses it; one that says it is too long is not read at all.
async fn read(body: Incoming) -> Result<Bytes, StatusCode> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let whole = time::timeout(PATIENCE, Limited::new(body, MAX_BODY).collect());
    match whole.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn translate(head: &hyper::http::request::Parts, body: Bytes) -> Request {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::new(head.method.as_str(), path);
    request.body = body.into();
    for (name, value) in &head.headers {
        request = request.header(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
    }
    request
}

fn respond(response: Response) -> HttpResponse {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    let built = builder.body(Full::from(response.body));
    built.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR))
}

fn refuse(status: StatusCode) -> HttpResponse {
    let mut response = HttpResponse::default();
    *response.status_mut() = status;
    response
}
