//! HTTP: the page, its data, a stream of overviews, and actions.
//!
//! Data is JSON: `GET /api/overview`, `/api/queues/{queue}/messages` and `/selection` with the names of a `Listing` as the
//! query, `/api/queues/{queue}/messages/{id}`; `GET /api/events` streams overviews. An action is a
//! `POST /api/action` of type `application/json` with an `Action`, for example
//! `{"action": "redrive", "queue": "jobs-failed", "per_second": 10}`. An error is `{"error": ".."}`.
#![allow(
    clippy::disallowed_methods,
    reason = "answers are shared for a while of the machine's time"
)]

use {
    crate::{
        actions::{self, Action, ActionError},
        data::{Dashboard, Listing, Missing},
        guard::{self, Hosts},
        patience::with_patience,
    },
    axum::{
        Router,
        body::{self, Bytes, HttpBody},
        extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State},
        http::{HeaderMap, StatusCode, header},
        middleware,
        response::{
            IntoResponse, Response, Sse,
            sse::{Event, KeepAlive},
        },
        routing::{get, post},
    },
    futures_util::{Stream, stream},
    hyper::server::conn::http1,
    hyper_util::{
        rt::{TokioIo, TokioTimer},
        server::graceful::GracefulShutdown,
        service::TowerToHyperService,
    },
    serde_json::{Value, json},
    std::{
        convert::Infallible,
        future::Future,
        io,
        net::SocketAddr,
        sync::{Arc, Mutex, PoisonError},
        time::{Duration, Instant},
    },
    tokio::{
        net::TcpListener,
        sync::{Semaphore, watch},
        task, time,
    },
};

const JSON: &str = "application/json";

/// A body of 1 MiB takes this much if every character of it is escaped.
const MAX_REQUEST: usize = 8 * 1_024 * 1_024;

/// How much clients may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// At the same time, those of open pages included.
    pub(crate) connections: usize,
    /// For the head of a request, from the end of the one before, for an action, and to take some of an answer.
    pub(crate) patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            patience: Duration::from_secs(30),
        }
    }
}

/// Pages that are sent overviews at the same time.
const MAX_STREAMS: usize = 256;

/// Requests that look at all messages of a queue at the same time; the others wait.
const MAX_SEARCHES: usize = 2;

/// How often open pages are sent an overview, and how long one is good for who asks.
const EVERY: Duration = Duration::from_secs(1);
const GOOD_FOR: Duration = Duration::from_millis(500);

/// How long answers under way may take once the server is to stop.
const FAREWELL: Duration = Duration::from_secs(1);

/// What all requests share.
pub(crate) struct App {
    dashboard: Dashboard,
    read_only: bool,
    patience: Duration,
    pub(crate) hosts: Hosts,
    /// The latest overview, as it is sent.
    latest: Mutex<Option<(Instant, Arc<str>)>>,
    stream: watch::Sender<Arc<str>>,
    stopping: watch::Sender<bool>,
    searches: Arc<Semaphore>,
}

impl App {
    /// An overview that is at most [`GOOD_FOR`] old; pages that ask at the same time share it.
    fn overview(&self) -> Arc<str> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, overview)) = latest.as_ref().filter(|(made, _)| made.elapsed() < GOOD_FOR) {
            return Arc::clone(overview);
        }
        let mut overview = self.dashboard.overview();
        overview["read_only"] = self.read_only.into();
        let overview: Arc<str> = overview.to_string().into();
        *latest = Some((Instant::now(), Arc::clone(&overview)));
        overview
    }

    /// The next overview is a new one: an action has changed something.
    fn forget_overview(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

pub(crate) struct Server {
    listener: TcpListener,
    limits: Limits,
    app: Arc<App>,
}

impl Server {
    /// Listens on a loopback address, and on no other.
    pub(crate) async fn bind(
        address: SocketAddr,
        dashboard: Dashboard,
        read_only: bool,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let app = App {
            dashboard,
            read_only,
            patience: limits.patience,
            hosts: Hosts::of(listener.local_addr()?),
            latest: Mutex::default(),
            stream: watch::Sender::new("".into()),
            stopping: watch::Sender::new(false),
            searches: Arc::new(Semaphore::new(MAX_SEARCHES)),
        };
        let app = Arc::new(app);
        Ok(Self { listener, limits, app })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is done; then streams end at once, and other answers within [`FAREWELL`].
    pub(crate) async fn run_until<T>(self, stop: impl Future<Output = T>) {
        let app = Arc::clone(&self.app);
        let overviews = task::spawn(send_overviews(Arc::clone(&app)));
        let graceful = Arc::new(GracefulShutdown::new());
        let accepting = task::spawn(self.accept(Arc::clone(&graceful)));
        stop.await;
        app.stopping.send_replace(true);
        overviews.abort();
        accepting.abort();
        // Once the accepting task is gone, nobody else holds it.
        let _ = accepting.await;
        if let Some(graceful) = Arc::into_inner(graceful) {
            let _ = time::timeout(FAREWELL, graceful.shutdown()).await;
        }
    }

    /// A connection that comes when there is no room waits until another one ends.
    async fn accept(self, graceful: Arc<GracefulShutdown>) {
        let room = Arc::new(Semaphore::new(self.limits.connections));
        let routes = routes(self.app);
        while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors, most likely: some will be free again.
                time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            // An event must not wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let stream = with_patience(stream, self.limits.patience);
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.patience)
                .half_close(true)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes.clone()));
            let connection = graceful.watch(connection);
            task::spawn(async move {
                // The client has gone or speaks no HTTP; there is nobody to tell.
                let _ = connection.await;
                drop(permit);
            });
        }
    }
}

fn routes(app: Arc<App>) -> Router {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    let file = |media_type: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, media_type)], text) })
    };
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("page.html")))
        .route("/page.css", file("text/css; charset=utf-8", include_str!("page.css")))
        .route("/page.js", file(SCRIPT, include_str!("page.js")))
        .route("/views.js", file(SCRIPT, include_str!("views.js")))
        .route("/acts.js", file(SCRIPT, include_str!("acts.js")))
        .route("/show.js", file(SCRIPT, include_str!("show.js")))
        .route("/icon.svg", file("image/svg+xml", include_str!("icon.svg")))
        .route("/api/overview", get(overview))
        .route("/api/events", get(events))
        .route("/api/queues/{queue}/messages", get(messages))
        .route("/api/queues/{queue}/selection", get(selection))
        .route("/api/queues/{queue}/messages/{id}", get(message))
        .route("/api/action", post(action).layer(DefaultBodyLimit::max(MAX_REQUEST)))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "there is nothing at this address") })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "reads are GET, actions are POST")
        })
        .layer(middleware::map_response(errors_as_json))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard::guard))
        .with_state(app)
}

fn answer(status: StatusCode, json: impl ToString) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], json.to_string()).into_response()
}

pub(crate) fn refuse(status: StatusCode, why: impl Into<String>) -> Response {
    answer(status, json!({ "error": why.into() }))
}

/// Errors of extractors come as text.
async fn errors_as_json(response: Response) -> Response {
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|it| it == JSON);
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let text = body::to_bytes(response.into_body(), MAX_REQUEST)
        .await
        .unwrap_or_default();
    refuse(status, String::from_utf8_lossy(&text))
}

fn found(result: Result<Value, Missing>) -> Response {
    match result {
        Ok(json) => answer(StatusCode::OK, json),
        Err(missing) => refuse(StatusCode::NOT_FOUND, missing.to_string()),
    }
}

/// Runs what may take a while where it holds up no other answer.
async fn aside(app: Arc<App>, work: impl FnOnce(&App) -> Response + Send + 'static) -> Response {
    task::spawn_blocking(move || work(&app))
        .await
        .unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be made"))
}

/// The same for what looks at all messages of a queue.
async fn search(app: Arc<App>, work: impl FnOnce(&Dashboard) -> Result<Value, Missing> + Send + 'static) -> Response {
    let Ok(permit) = Arc::clone(&app.searches).acquire_owned().await else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the server stops");
    };
    // The search goes on if whoever asked hangs up, and keeps its permit.
    let search = move |app: &App| {
        let _permit = permit;
        found(work(&app.dashboard))
    };
    aside(app, search).await
}

async fn overview(State(app): State<Arc<App>>) -> Response {
    aside(app, |app| answer(StatusCode::OK, app.overview())).await
}

async fn messages(State(app): State<Arc<App>>, Path(queue): Path<String>, Query(listing): Query<Listing>) -> Response {
    search(app, move |dashboard| dashboard.page(&queue, &listing)).await
}

async fn selection(State(app): State<Arc<App>>, Path(queue): Path<String>, Query(listing): Query<Listing>) -> Response {
    search(app, move |dashboard| dashboard.selection(&queue, &listing)).await
}

async fn message(State(app): State<Arc<App>>, Path((queue, id)): Path<(String, String)>) -> Response {
    search(app, move |dashboard| dashboard.message(&queue, &id)).await
}

async fn action(State(app): State<Arc<App>>, headers: HeaderMap, request: Request) -> Response {
    if app.read_only {
        return refuse(StatusCode::FORBIDDEN, "this dashboard is read-only");
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case(JSON) {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "an action is sent as application/json",
        );
    }
    let too_long = || {
        let why = format!("the longest action has {MAX_REQUEST} bytes");
        refuse(StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    // A body that says it is too long is not read at all.
    if request.body().size_hint().lower() > MAX_REQUEST as u64 {
        return too_long();
    }
    let body = match time::timeout(app.patience, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => return too_long(),
        Ok(Err(error)) => return error.into_response(),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "the action did not come in time"),
    };
    let action: Action = match serde_json::from_slice(&body) {
        Ok(action) => action,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, format!("this is no action: {error}")),
    };
    aside(app, |app| {
        let result = actions::act(&app.dashboard, action);
        app.forget_overview();
        match result {
            Ok(json) => answer(StatusCode::OK, json),
            Err(error) => refuse(status_of(&error), error.to_string()),
        }
    })
    .await
}

fn status_of(error: &ActionError) -> StatusCode {
    match error {
        ActionError::Missing(_) => StatusCode::NOT_FOUND,
        ActionError::Refused(_) => StatusCode::BAD_REQUEST,
        ActionError::Forgotten => StatusCode::CONFLICT,
    }
}

/// Makes one overview for all open pages; without a page it makes none.
async fn send_overviews(app: Arc<App>) {
    let mut ticks = time::interval(EVERY);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if app.stream.receiver_count() > 0 {
            let made_by = Arc::clone(&app);
            if let Ok(overview) = task::spawn_blocking(move || made_by.overview()).await {
                app.stream.send_replace(overview);
            }
        }
    }
}

/// An overview each second, until the server stops.
async fn events(State(app): State<Arc<App>>) -> Response {
    if app.stream.receiver_count() >= MAX_STREAMS {
        let why = format!("{MAX_STREAMS} pages are open, no more are served");
        return refuse(StatusCode::SERVICE_UNAVAILABLE, why);
    }
    Sse::new(overviews(&app)).keep_alive(KeepAlive::new()).into_response()
}

fn overviews(app: &App) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let receivers = (app.stream.subscribe(), app.stopping.subscribe());
    stream::unfold(receivers, |(mut overviews, mut stopping)| async move {
        let changed = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return None,
            changed = overviews.changed() => changed,
        };
        changed.ok()?;
        let event = Event::default().data(&**overviews.borrow_and_update());
        Some((Ok(event), (overviews, stopping)))
    })
}
