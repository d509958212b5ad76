//! Builds runners from their settings and a handler.

use {
    super::{
        backlog::Backlog,
        batch::{BatchAnswer, BatchSettings},
        builder::RunnerBuilder,
        counters::Counters,
        dispatcher::{Dispatcher, DispatcherConfig},
        engine::{Control, Engine, EngineConfig},
        error::BuildRunnerError,
        failure::IntoFailure,
        handler::{Batch, BatchAsync, Each, EachAsync, Handler},
        job::Job,
        lease_renewer::{GIVE_BACK, change_margin},
        limits::RECEIVE_AHEAD,
        rate_limit::Rate,
        router::Router,
        runner::Runner,
        settings::{Settings, check_batch},
    },
    crate::{
        backend::{
            MessageQueue,
            timing::{last_due, renew_interval},
        },
        time::TICK,
    },
    std::{future::Future, sync::Arc, time::Duration},
};

impl<Q: MessageQueue> RunnerBuilder<Q> {
    /// A runner that calls `handler` for each message.
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("640")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| job.body().parse::<u32>().map(drop))?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each<F, E>(self, handler: F) -> Result<Runner<Q, Each<F>>, BuildRunnerError>
    where
        F: Fn(&Job) -> Result<(), E>,
        E: IntoFailure,
    {
        self.settings.build(None, Each(handler))
    }

    /// A runner that calls an async `handler` for each message.
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("640")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each_async(|job: Job| async move {
    ///     job.body().parse::<u32>().map(drop)
    /// })?;
    /// assert_eq!(pollster::block_on(runner.run())?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each_async<F, R, E>(self, handler: F) -> Result<Runner<Q, EachAsync<F>>, BuildRunnerError>
    where
        F: Fn(Job) -> R,
        R: Future<Output = Result<(), E>>,
        E: IntoFailure,
    {
        self.settings.build(None, EachAsync(handler))
    }

    /// A runner that calls `handler` for batches of messages.
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BatchAnswer, BatchSettings, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["1", "2", "3"])?;
    /// let runner = Runner::builder(&jobs).until_none_visible().batch(BatchSettings::new(2), |batch: &[Job]| {
    ///     assert!(batch.len() <= 2);
    ///     BatchAnswer::success()
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn batch<F>(self, settings: BatchSettings, handler: F) -> Result<Runner<Q, Batch<F>>, BuildRunnerError>
    where
        F: Fn(&[Job]) -> BatchAnswer,
    {
        self.settings.build(Some(settings), Batch(handler))
    }

    /// A runner that calls an async `handler` for batches of messages.
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BatchAnswer, BatchSettings, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["1", "2", "3"])?;
    /// let settings = BatchSettings::default();
    /// let runner = Runner::builder(&jobs).until_none_visible().batch_async(settings, |batch: Vec<Job>| async move {
    ///     assert_eq!(batch.len(), 3);
    ///     BatchAnswer::success()
    /// })?;
    /// assert_eq!(pollster::block_on(runner.run())?.succeeded, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn batch_async<F, R>(
        self,
        settings: BatchSettings,
        handler: F,
    ) -> Result<Runner<Q, BatchAsync<F>>, BuildRunnerError>
    where
        F: Fn(Vec<Job>) -> R,
        R: Future<Output = BatchAnswer>,
    {
        self.settings.build(Some(settings), BatchAsync(handler))
    }

    /// A runner that calls, for each message, the handler of its route in `router`.
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings, or with the router.
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
    pub fn each_routed<S>(self, router: Router<S>) -> Result<Runner<Q, Router<S>>, BuildRunnerError> {
        router.check()?;
        self.settings.build(None, router)
    }
}

/// A handler is given the state beside its job.
#[expect(clippy::type_complexity, reason = "a function that has the state has no name")]
impl<Q: MessageQueue, S> RunnerBuilder<Q, (S,)> {
    /// A runner that calls `handler` for each message, with a reference to the [`state`](Self::state).
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["cat", "horse"])?;
    /// let runner = Runner::builder(&jobs).state(["cat", "dog"]).until_none_visible();
    /// let runner = runner.each(|job: &Job, known: &[&str; 2]| match known.contains(&job.body()) {
    ///     true => Ok(()),
    ///     false => Err("an unknown animal"),
    /// })?;
    /// let report = runner.blocking()?;
    /// assert_eq!((report.succeeded, report.failed), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each<F, E>(self, handler: F) -> Result<Runner<Q, Each<impl Fn(&Job) -> Result<(), E>>>, BuildRunnerError>
    where
        F: Fn(&Job, &S) -> Result<(), E>,
        E: IntoFailure,
    {
        let (state,) = self.state;
        let handler = move |job: &Job| handler(job, &state);
        self.settings.build(None, Each(handler))
    }

    /// A runner that calls an async `handler` for each message, with a clone of the [`state`](Self::state).
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let (jobs, done) = (Queue::standard("jobs").build()?, Queue::standard("done").build()?);
    /// jobs.send("640")?;
    /// let runner = Runner::builder(&jobs).state(done.clone()).until_none_visible();
    /// let runner = runner.each_async(|job: Job, done: Queue| async move { done.send(job.body()).map(drop) })?;
    /// assert_eq!(pollster::block_on(runner.run())?.succeeded, 1);
    /// assert_eq!(done.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each_async<F, R, E>(self, handler: F) -> Result<Runner<Q, EachAsync<impl Fn(Job) -> R>>, BuildRunnerError>
    where
        S: Clone,
        F: Fn(Job, S) -> R,
        R: Future<Output = Result<(), E>>,
        E: IntoFailure,
    {
        let (state,) = self.state;
        let handler = move |job: Job| handler(job, state.clone());
        self.settings.build(None, EachAsync(handler))
    }

    /// A runner that calls `handler` for batches of messages, with a reference to the [`state`](Self::state).
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BatchAnswer, BatchSettings, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["1", "2", "3"])?;
    /// let runner = Runner::builder(&jobs).state("the database is down").until_none_visible();
    /// let runner = runner.batch(BatchSettings::default(), |_: &[Job], error: &&str| BatchAnswer::failure(*error))?;
    /// assert_eq!(runner.blocking()?.failed, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn batch<F>(
        self,
        settings: BatchSettings,
        handler: F,
    ) -> Result<Runner<Q, Batch<impl Fn(&[Job]) -> BatchAnswer>>, BuildRunnerError>
    where
        F: Fn(&[Job], &S) -> BatchAnswer,
    {
        let (state,) = self.state;
        let handler = move |batch: &[Job]| handler(batch, &state);
        self.settings.build(Some(settings), Batch(handler))
    }

    /// A runner that calls an async `handler` for batches of messages, with a clone of the [`state`](Self::state).
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BatchAnswer, BatchSettings, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["1", "2", "3"])?;
    /// let runner = Runner::builder(&jobs).state("the database is down").until_none_visible();
    /// let runner = runner.batch_async(BatchSettings::default(), |_: Vec<Job>, error: &str| async move {
    ///     BatchAnswer::failure(error)
    /// })?;
    /// assert_eq!(pollster::block_on(runner.run())?.failed, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn batch_async<F, R>(
        self,
        settings: BatchSettings,
        handler: F,
    ) -> Result<Runner<Q, BatchAsync<impl Fn(Vec<Job>) -> R>>, BuildRunnerError>
    where
        S: Clone,
        F: Fn(Vec<Job>, S) -> R,
        R: Future<Output = BatchAnswer>,
    {
        let (state,) = self.state;
        let handler = move |batch: Vec<Job>| handler(batch, state.clone());
        self.settings.build(Some(settings), BatchAsync(handler))
    }
}

impl<Q: MessageQueue> Settings<Q> {
    pub(super) fn build<H: Handler>(
        self,
        batch: Option<BatchSettings>,
        handler: H,
    ) -> Result<Runner<Q, H>, BuildRunnerError> {
        let visibility_timeout = self.checked()?;
        let fifo = self.queue.is_fifo();
        let batch_size = batch.map_or(1, |batch| batch.size);
        if let Some(batch) = &batch {
            check_batch(batch, fifo)?;
            self.check_window(batch.window, visibility_timeout, last_due(visibility_timeout))?;
        }
        self.limits.check(batch_size)?;
        let restores = self.queue.restores_receive_count();
        let group_limits = self.limits.of_groups(restores, self.heartbeat, visibility_timeout);
        let config = self.engine_config(visibility_timeout, batch_size);
        let dispatcher = Dispatcher::new(
            self.dispatcher_config(&config, batch),
            Backlog::new(fifo, batch, group_limits),
            Counters::new(self.queue.url()),
        );
        let clock = self.clock.unwrap_or_else(|| self.queue.clock());
        let control = Arc::new(Control::new(dispatcher, clock));
        self.handle.connect(&control);
        Ok(Runner {
            engine: Engine::new(self.queue, handler, config, control),
            wrapper: self.wrapper,
        })
    }

    fn engine_config(&self, visibility_timeout: Duration, batch_size: usize) -> EngineConfig {
        let in_process = self.queue.is_in_process();
        EngineConfig {
            concurrency: self.concurrency,
            visibility_timeout,
            renew_interval: if self.heartbeat {
                renew_interval(visibility_timeout)
            } else {
                last_due(visibility_timeout)
            },
            heartbeat: self.heartbeat,
            handler_timeout: self.handler_timeout,
            policy: self.policy,
            seed: self.seed,
            fifo: self.queue.is_fifo(),
            in_process,
            latency_margin: change_margin(in_process, visibility_timeout),
            limits: self.queue.limits().within_sqs(),
            max_messages_per_group: batch_size,
            clock_of_queue: self.clock.is_none(),
            shutdown_timeout: self.shutdown_timeout,
            outage_timeout: self.outage_timeout,
            on_event: self.on_event.clone(),
        }
    }

    fn dispatcher_config(&self, engine: &EngineConfig, batch: Option<BatchSettings>) -> DispatcherConfig {
        let batch_size = batch.map_or(1, |batch| batch.size);
        let restores = self.queue.restores_receive_count();
        let max_messages = match self.max_messages {
            // What is behind a failure in its group is given back, which costs it a receive.
            None if engine.fifo && !restores => batch_size,
            chosen => chosen.unwrap_or(engine.limits.max_messages),
        };
        DispatcherConfig {
            concurrency: self.concurrency,
            prefetch: self.prefetch,
            batch_size,
            max_messages: max_messages.min(engine.limits.max_messages),
            // Where receives may not wait, the engine makes one of this long out of several.
            wait_time: if engine.limits.max_wait_time < TICK {
                self.wait_time
            } else {
                self.wait_time.min(engine.limits.max_wait_time)
            },
            end: self.end,
            fifo: engine.fifo,
            give_back_after: if restores {
                Duration::ZERO
            } else {
                self.shutdown_timeout.saturating_sub(GIVE_BACK)
            },
            rate: self.limits.rate.map(Rate::new),
            receive_ahead: if engine.in_process || !self.heartbeat {
                Duration::ZERO
            } else {
                RECEIVE_AHEAD
            },
            timed: self.limits.wait_for_time() || batch.is_some_and(|batch| !batch.window.is_zero()),
            renew_interval: engine.renew_interval,
            handler_timeout: engine.handler_timeout,
        }
    }
}
