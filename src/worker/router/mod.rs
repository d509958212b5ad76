//! Handlers for several types of jobs, chosen by a message attribute or a field of the body.

mod key;

use {
    self::key::{Key, Missing},
    super::{
        error::BuildRunnerError,
        failure::{Failure, IntoFailure},
        handler::{Answer, AsyncHandler, Begun, Handler, sealed},
        job::Job,
    },
    std::{
        borrow::Cow,
        collections::{BTreeMap, btree_map::Entry},
        fmt,
        future::Future,
        sync::Arc,
    },
};

/// The most characters of a value, and of the names of routes, in the reason of a failure.
const MAX_TEXT: usize = 200;

/// Handlers for several types of jobs: each message goes to the handler whose route has the message's value.
///
/// The value is that of a [message attribute](Self::by_attribute) or of a field of the body (`by_field`, feature `serde`);
/// a route is named by it, exactly. [`each_routed`](super::RunnerBuilder::each_routed) makes a runner of a router. Its
/// clones share handlers and state, so that one router may serve several queues. It routes single messages: a batch holds
/// whatever types were received together, so a type that needs batches needs a queue of its own.
///
/// # Messages without a route
/// Unless the router says [`otherwise`](Self::otherwise), a message whose value no route has, or that has no value, fails
/// without a handler, and goes by the runner's [`FailurePolicy`](super::FailurePolicy): a runner that knows the route may
/// receive it next. [`otherwise_dead_letter`](Self::otherwise_dead_letter) sends it to the dead-letter queue at once. The
/// reason of the failure names the value and the routes.
///
/// # Examples
/// ```
/// use requeue::{MessageAttributeValue, Queue, SendMessage, worker::{Job, Router, Runner}};
///
/// let jobs = Queue::standard("jobs").build()?;
/// let job = |kind: &str, body: &str| SendMessage::new(body).attribute("type", MessageAttributeValue::string(kind));
/// let _ = jobs.send_batch([job("resize", "640"), job("mail", "to=me"), job("dance", "tango")])?;
///
/// let router = Router::by_attribute("type")
///     .route("resize", |job: &Job| job.body().parse::<u32>().map(drop))
///     .route_async("mail", |job: Job| async move {
///         assert_eq!(job.body(), "to=me");
///         Ok::<(), String>(())
///     });
/// let (tell, told) = std::sync::mpsc::channel();
/// let runner = Runner::builder(&jobs).until_none_visible().on_event(move |event| tell.send(event.to_string()).unwrap());
/// let report = runner.each_routed(router)?.blocking()?;
/// assert_eq!((report.succeeded, report.failed), (2, 1));
/// let reason = r#"no route: the attribute "type" is "dance"; the routes are "mail", "resize""#;
/// assert!(told.recv()?.ends_with(reason));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a router does nothing until a runner is made of it"]
pub struct Router<S = ()> {
    key: Key,
    state: Arc<S>,
    routes: BTreeMap<String, Route>,
    otherwise: Otherwise,
    /// The first name that was given to two routes.
    repeated: Option<String>,
}

/// A handler of the user's, its state included.
#[derive(Clone)]
enum Route {
    Function(Arc<dyn Fn(&Job) -> Answer + Send + Sync>),
    Async(Arc<dyn Fn(Job) -> Begun + Send + Sync>),
}

/// What becomes of a message without a route.
#[derive(Clone)]
enum Otherwise {
    Fail,
    DeadLetter,
    Handle(Route),
}

impl Route {
    fn function<E: IntoFailure>(handler: impl Fn(&Job) -> Result<(), E> + Send + Sync + 'static) -> Self {
        Self::Function(Arc::new(move |job| Answer::of(handler(job))))
    }

    fn of_async<R, E>(handler: impl Fn(Job) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: IntoFailure,
    {
        Self::Async(Arc::new(move |job| Begun::of(handler(job))))
    }

    fn begin(&self, job: &Job) -> Begun {
        match self {
            Self::Function(handler) => Begun::Answered(handler(job)),
            Self::Async(handler) => handler(job.clone()),
        }
    }
}

impl Router {
    /// A router by the text of the message attribute `name`, of type `String` or `Number`.
    ///
    /// # Examples
    /// ```
    /// use requeue::{MessageAttributeValue, Queue, SendMessage, worker::{Job, Router, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send(SendMessage::new("640").attribute("type", MessageAttributeValue::string("resize")))?;
    /// let router = Router::by_attribute("type").route("resize", |job: &Job| job.body().parse::<u32>().map(drop));
    /// let runner = Runner::builder(&jobs).until_none_visible().each_routed(router)?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn by_attribute(name: impl Into<String>) -> Self {
        Self::new(Key::Attribute(name.into()))
    }

    /// A router by the field `name` of a body that is a JSON object: its text, or an integer or boolean as JSON writes it.
    ///
    /// Only the object's own fields are looked at, not those of objects in it. A body that has the field twice has no
    /// route. Feature `serde`.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Router, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send(r#"{"type": "resize", "width": 640}"#)?;
    /// let router = Router::by_field("type").route("resize", |job: &Job| {
    ///     assert!(job.body().contains("640"));
    ///     Ok::<(), String>(())
    /// });
    /// let runner = Runner::builder(&jobs).until_none_visible().each_routed(router)?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "serde")]
    #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
    pub fn by_field(name: impl Into<String>) -> Self {
        Self::new(Key::Field(name.into()))
    }

    fn new(key: Key) -> Self {
        Self {
            key,
            state: Arc::new(()),
            routes: BTreeMap::new(),
            otherwise: Otherwise::Fail,
            repeated: None,
        }
    }

    /// Gives the handlers that are added from here on this value beside their job, as
    /// [`RunnerBuilder::state`](super::RunnerBuilder::state) does: a function a reference, an async function a clone.
    ///
    /// # Examples
    /// ```
    /// use requeue::{MessageAttributeValue, Queue, SendMessage, worker::{Job, Router, Runner}};
    ///
    /// let (jobs, done) = (Queue::standard("jobs").build()?, Queue::standard("done").build()?);
    /// jobs.send(SendMessage::new("640").attribute("type", MessageAttributeValue::string("resize")))?;
    /// let router = Router::by_attribute("type")
    ///     .state(done.clone())
    ///     .route("resize", |job: &Job, done: &Queue| done.send(job.body()).map(drop))
    ///     .route_async("mail", |job: Job, done: Queue| async move { done.send(job.body()).map(drop) });
    /// let runner = Runner::builder(&jobs).until_none_visible().each_routed(router)?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// assert_eq!(done.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state<T>(self, state: T) -> Router<(T,)> {
        Router {
            key: self.key,
            state: Arc::new((state,)),
            routes: self.routes,
            otherwise: self.otherwise,
            repeated: self.repeated,
        }
    }

    /// Calls `handler` for messages with the value `name`; a second route of that name is an error of the runner's builder.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BuildRunnerError, Job, Router, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let resize = |_: &Job| Ok::<(), String>(());
    /// let router = Router::by_attribute("type").route("resize", resize).route("resize", resize);
    /// let error = Runner::builder(&jobs).each_routed(router).unwrap_err();
    /// assert_eq!(error, BuildRunnerError::RouteTwice("resize".to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn route<F, E>(self, name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(&Job) -> Result<(), E> + Send + Sync + 'static,
        E: IntoFailure,
    {
        self.add(name, Route::function(handler))
    }

    /// Calls an async `handler` for messages with the value `name`; a second route of that name is an error of the runner's
    /// builder.
    ///
    /// Its future is put in a box and has to be `Send`.
    ///
    /// # Examples
    /// ```
    /// use requeue::{MessageAttributeValue, Queue, SendMessage, worker::{Job, Router, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send(SendMessage::new("640").attribute("type", MessageAttributeValue::string("resize")))?;
    /// let router = Router::by_attribute("type").route_async("resize", |job: Job| async move {
    ///     job.body().parse::<u32>().map(drop)
    /// });
    /// let runner = Runner::builder(&jobs).until_none_visible().each_routed(router)?;
    /// assert_eq!(pollster::block_on(runner.run())?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn route_async<F, R, E>(self, name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: IntoFailure,
    {
        self.add(name, Route::of_async(handler))
    }

    /// Calls `handler` for messages without a route; of several of these choices the last counts.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Router, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("no attributes")?;
    /// let router = Router::by_attribute("type")
    ///     .route("resize", |_: &Job| Err("not this one"))
    ///     .otherwise(|_: &Job| Ok::<(), String>(()));
    /// let runner = Runner::builder(&jobs).until_none_visible().each_routed(router)?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn otherwise<F, E>(self, handler: F) -> Self
    where
        F: Fn(&Job) -> Result<(), E> + Send + Sync + 'static,
        E: IntoFailure,
    {
        self.or(Otherwise::Handle(Route::function(handler)))
    }

    /// Calls an async `handler` for messages without a route; of several of these choices the last counts.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Router, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("no attributes")?;
    /// let router = Router::by_attribute("type")
    ///     .route("resize", |_: &Job| Err("not this one"))
    ///     .otherwise_async(|_: Job| async { Ok::<(), String>(()) });
    /// let runner = Runner::builder(&jobs).until_none_visible().each_routed(router)?;
    /// assert_eq!(pollster::block_on(runner.run())?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn otherwise_async<F, R, E>(self, handler: F) -> Self
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: IntoFailure,
    {
        self.or(Otherwise::Handle(Route::of_async(handler)))
    }
}

/// A handler is given the state beside its job.
impl<T: Send + Sync + 'static> Router<(T,)> {
    /// Calls `handler` for messages with the value `name`; a second route of that name is an error of the runner's builder.
    ///
    /// # Examples
    /// ```
    /// use requeue::{MessageAttributeValue, Queue, SendMessage, worker::{Job, Router, Runner}};
    ///
    /// let (jobs, done) = (Queue::standard("jobs").build()?, Queue::standard("done").build()?);
    /// jobs.send(SendMessage::new("640").attribute("type", MessageAttributeValue::string("resize")))?;
    /// let router = Router::by_attribute("type").state(done.clone());
    /// let router = router.route("resize", |job: &Job, done: &Queue| done.send(job.body()).map(drop));
    /// assert_eq!(Runner::builder(&jobs).until_none_visible().each_routed(router)?.blocking()?.succeeded, 1);
    /// assert_eq!(done.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn route<F, E>(self, name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(&Job, &T) -> Result<(), E> + Send + Sync + 'static,
        E: IntoFailure,
    {
        let handler = self.with_state(handler);
        self.add(name, handler)
    }

    /// Calls an async `handler` for messages with the value `name`; a second route of that name is an error of the runner's
    /// builder.
    ///
    /// Its future is put in a box and has to be `Send`.
    ///
    /// # Examples
    /// ```
    /// use requeue::{MessageAttributeValue, Queue, SendMessage, worker::{Job, Router, Runner}};
    ///
    /// let (jobs, done) = (Queue::standard("jobs").build()?, Queue::standard("done").build()?);
    /// jobs.send(SendMessage::new("640").attribute("type", MessageAttributeValue::string("resize")))?;
    /// let router = Router::by_attribute("type").state(done.clone());
    /// let router = router.route_async("resize", |job: Job, done: Queue| async move { done.send(job.body()).map(drop) });
    /// assert_eq!(Runner::builder(&jobs).until_none_visible().each_routed(router)?.blocking()?.succeeded, 1);
    /// assert_eq!(done.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn route_async<F, R, E>(self, name: impl Into<String>, handler: F) -> Self
    where
        T: Clone,
        F: Fn(Job, T) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: IntoFailure,
    {
        let handler = self.with_clones_of_state(handler);
        self.add(name, handler)
    }

    /// Calls `handler` for messages without a route; of several of these choices the last counts.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Router, Runner}};
    ///
    /// let (jobs, others) = (Queue::standard("jobs").build()?, Queue::standard("others").build()?);
    /// jobs.send("no attributes")?;
    /// let router = Router::by_attribute("type")
    ///     .state(others.clone())
    ///     .route("resize", |_: &Job, _: &Queue| Err("not this one"))
    ///     .otherwise(|job: &Job, others: &Queue| others.send(job.body()).map(drop));
    /// let runner = Runner::builder(&jobs).until_none_visible().each_routed(router)?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// assert_eq!(others.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn otherwise<F, E>(self, handler: F) -> Self
    where
        F: Fn(&Job, &T) -> Result<(), E> + Send + Sync + 'static,
        E: IntoFailure,
    {
        let handler = self.with_state(handler);
        self.or(Otherwise::Handle(handler))
    }

    /// Calls an async `handler` for messages without a route; of several of these choices the last counts.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Router, Runner}};
    ///
    /// let (jobs, others) = (Queue::standard("jobs").build()?, Queue::standard("others").build()?);
    /// jobs.send("no attributes")?;
    /// let router = Router::by_attribute("type")
    ///     .state(others.clone())
    ///     .route("resize", |_: &Job, _: &Queue| Err("not this one"))
    ///     .otherwise_async(|job: Job, others: Queue| async move { others.send(job.body()).map(drop) });
    /// let runner = Runner::builder(&jobs).until_none_visible().each_routed(router)?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// assert_eq!(others.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn otherwise_async<F, R, E>(self, handler: F) -> Self
    where
        T: Clone,
        F: Fn(Job, T) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: IntoFailure,
    {
        let handler = self.with_clones_of_state(handler);
        self.or(Otherwise::Handle(handler))
    }

    fn with_state<E: IntoFailure>(&self, handler: impl Fn(&Job, &T) -> Result<(), E> + Send + Sync + 'static) -> Route {
        let state = Arc::clone(&self.state);
        Route::function(move |job| handler(job, &state.0))
    }

    fn with_clones_of_state<R, E>(&self, handler: impl Fn(Job, T) -> R + Send + Sync + 'static) -> Route
    where
        T: Clone,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: IntoFailure,
    {
        let state = Arc::clone(&self.state);
        Route::of_async(move |job| handler(job, state.0.clone()))
    }
}

impl<S> Router<S> {
    /// Sends messages without a route to the dead-letter queue at once; of several of these choices the last counts.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Router, Runner}};
    ///
    /// let dead = Queue::standard("dead").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&dead, 5).build()?;
    /// jobs.send("no attributes")?;
    /// let router = Router::by_attribute("type").route("resize", |_: &Job| Err("not this one")).otherwise_dead_letter();
    /// let runner = Runner::builder(&jobs).until_none_visible().each_routed(router)?;
    /// assert_eq!(runner.blocking()?.dead_lettered, 1);
    /// let message = &dead.receive().blocking()?[0];
    /// let reason = r#"no route: the message has no attribute "type"; the routes are "resize""#;
    /// assert_eq!(message.dead_letter_reason(), Some(reason));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn otherwise_dead_letter(self) -> Self {
        self.or(Otherwise::DeadLetter)
    }

    fn or(mut self, otherwise: Otherwise) -> Self {
        self.otherwise = otherwise;
        self
    }

    fn add(mut self, name: impl Into<String>, route: Route) -> Self {
        match self.routes.entry(name.into()) {
            Entry::Vacant(free) => {
                free.insert(route);
            }
            Entry::Occupied(taken) => {
                self.repeated.get_or_insert_with(|| taken.key().clone());
            }
        }
        self
    }

    pub(super) fn check(&self) -> Result<(), BuildRunnerError> {
        self.key.check()?;
        match &self.repeated {
            Some(name) => Err(BuildRunnerError::RouteTwice(name.clone())),
            None if self.routes.is_empty() => Err(BuildRunnerError::NoRoute),
            None => Ok(()),
        }
    }

    /// The failure of a message whose value has no route.
    fn failure(&self, value: &Result<Cow<'_, str>, Missing>) -> Failure {
        let what = match value {
            Ok(value) => format!("the {} is {}", self.key, Short(value)),
            Err(missing) => self.key.explain(missing),
        };
        let reason = format!("no route: {what}; the routes are {}", Names(&self.routes));
        match self.otherwise {
            Otherwise::DeadLetter => Failure::dead_letter(reason),
            Otherwise::Fail | Otherwise::Handle(_) => Failure::from(reason),
        }
    }

    /// The handler of a job, or its failure.
    fn find(&self, job: &Job) -> Result<&Route, Failure> {
        let value = self.key.value(job);
        let route = value.as_deref().ok().and_then(|value| self.routes.get(value));
        match (route, &self.otherwise) {
            (Some(route), _) | (None, Otherwise::Handle(route)) => Ok(route),
            (None, Otherwise::Fail | Otherwise::DeadLetter) => Err(self.failure(&value)),
        }
    }
}

impl<S> sealed::Sealed for Router<S> {}

impl<S> Handler for Router<S> {
    async fn handle(&self, jobs: &[Job]) -> Answer {
        match self.begin(jobs) {
            Begun::Answered(answer) => answer,
            Begun::Future(future) => future.await,
        }
    }
}

impl<S> AsyncHandler for Router<S> {
    fn begin(&self, jobs: &[Job]) -> Begun {
        let Some(job) = jobs.first() else {
            return Begun::Answered(Answer::Done);
        };
        match self.find(job) {
            Ok(route) => route.begin(job),
            Err(failure) => Begun::Answered(Answer::Failed(failure)),
        }
    }
}

impl<S> Clone for Router<S> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            state: Arc::clone(&self.state),
            routes: self.routes.clone(),
            otherwise: self.otherwise.clone(),
            repeated: self.repeated.clone(),
        }
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("key", &self.key)
            .field("routes", &self.routes.keys())
            .finish_non_exhaustive()
    }
}

/// A text in quotes, cut short if it is long.
struct Short<'t>(&'t str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_TEXT) {
            Some((end, _)) => write!(f, "{:?}..", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// The names of the routes, as many as fit.
struct Names<'r>(&'r BTreeMap<String, Route>);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = MAX_TEXT;
        for (at, name) in self.0.keys().enumerate() {
            let length = name.chars().count();
            if at > 0 && length > room {
                return write!(f, " and {} more", self.0.len() - at);
            }
            room = room.saturating_sub(length);
            write!(f, "{}{}", if at > 0 { ", " } else { "" }, Short(name))?;
        }
        Ok(())
    }
}
