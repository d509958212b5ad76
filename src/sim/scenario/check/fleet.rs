//! Checks of fleets: a real runner is built with their settings.

use {
    super::{
        at::{At, MAX_COUNT, Span},
        faults::{self, Calls},
        queue::known,
    },
    crate::{
        backend::Backoff,
        clock::ManualClock,
        queue::Queue,
        sim::scenario::{
            Autoscaling, Crashes, Deploy, FailurePolicy, Fleet, Outage, ScalingRule, Scenario, ScenarioError,
            ServiceTime,
        },
        time::TICK,
        worker::{self, BuildRunnerError, Job, Runner},
    },
    std::time::Duration,
};

const MAX_WORKERS: usize = 100_000;

/// The shortest time between two events that come again and again by themselves.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

type Checked = Result<(), ScenarioError>;

pub(super) fn check(at: &At<'_>, fleet: &Fleet, queue: Option<&Queue>, scenario: &Scenario) -> Checked {
    known(&at.to("queue"), &fleet.queue, scenario)?;
    at.to("workers").count(fleet.workers, 1..=MAX_WORKERS)?;
    if let Some(autoscaling) = &fleet.autoscaling {
        check_autoscaling(at, autoscaling, fleet.workers)?;
    }
    at.to("concurrency").count(fleet.concurrency, 1..=MAX_COUNT)?;
    at.to("prefetch").count(fleet.prefetch, 0..=MAX_COUNT)?;
    service_time(&at.to("service"), &fleet.service)?;
    if let Some(latency) = &fleet.call_latency {
        service_time(&at.to("call_latency"), latency)?;
    }
    if let Some(slow) = &fleet.slow {
        let at = at.to("slow");
        at.to("share").share(slow.share)?;
        at.to("factor").positive(slow.factor)?;
    }
    if fleet.wait_time.is_zero() {
        at.to("poll_interval").span_from(fleet.poll_interval, TICK)?;
    }
    at.to("poll_interval").span(fleet.poll_interval)?;
    at.to("shutdown_timeout").span(fleet.shutdown_timeout)?;
    at.to("failure_probability").share(fleet.failure_probability)?;
    if let Some(crashes) = &fleet.crashes {
        check_crashes(&at.to("crashes"), crashes)?;
    }
    for (place, outage) in fleet.outages.iter().enumerate() {
        let outages = at.to("outages");
        check_outage(&outages.entry(place), outage, scenario.horizon)?;
    }
    for (place, deploy) in fleet.deploys.iter().enumerate() {
        let deploys = at.to("deploys");
        check_deploy(&deploys.entry(place), deploy, scenario.horizon)?;
    }
    faults::check(&at.to("faults"), &fleet.faults, &fleet.queue, Calls::OfWorkers)?;
    queue.map_or(Ok(()), |queue| check_runner(at, fleet, queue))
}

fn check_autoscaling(fleet: &At<'_>, autoscaling: &Autoscaling, workers: usize) -> Checked {
    let at = fleet.to("autoscaling");
    let (min, max) = (autoscaling.min, autoscaling.max);
    at.to("max").count(max, 1..=MAX_WORKERS)?;
    at.to("min").count(min, 1..=MAX_WORKERS)?;
    if min > max {
        return Err(at.to("min").refuse(min, format_args!("at most the max, {max}")));
    }
    if !(min..=max).contains(&workers) {
        let limit = format!("{min} to {max}, the min and max of the autoscaling");
        return Err(fleet.to("workers").refuse(workers, limit));
    }
    at.to("interval").span_from(autoscaling.interval, SHORTEST_INTERVAL)?;
    at.to("reaction_time").span(autoscaling.reaction_time)?;
    let at = at.to("rule");
    match autoscaling.rule {
        ScalingRule::BacklogPerWorker { target } => at.to("backlog_per_worker").to("target").positive(target),
        ScalingRule::AgeOfOldest { target } => at.to("age_of_oldest").to("target").span_above_zero(target),
    }
}

fn service_time(at: &At<'_>, service: &ServiceTime) -> Checked {
    let at = at.to(service.kind());
    match service {
        ServiceTime::Constant { time } => at.to("time").span_above_zero(*time),
        ServiceTime::Exponential { mean } => at.to("mean").span_above_zero(*mean),
        ServiceTime::LogNormal { mean, sd } | ServiceTime::Gamma { mean, sd } => {
            at.to("mean").span_above_zero(*mean)?;
            at.to("sd").span_above_zero(*sd)
        }
        ServiceTime::Empirical { times, file } => {
            let whose = || {
                file.as_ref()
                    .map_or_else(|| "the list".to_owned(), |it| it.display().to_string())
            };
            if times.is_empty() {
                return Err(at.fail(format!("{} has no time, it has to have at least 1", whose())));
            }
            for (place, time) in times.iter().enumerate() {
                let times = at.to("times");
                times.entry(place).span(*time)?;
            }
            if times.iter().all(|it| it.as_micros() == 0) {
                return Err(at.fail(format!("all times of {} are 0, at least one has to be more", whose())));
            }
            Ok(())
        }
    }
}

fn check_crashes(at: &At<'_>, crashes: &Crashes) -> Checked {
    at.to("mean_interval")
        .span_from(crashes.mean_interval, SHORTEST_INTERVAL)?;
    at.to("restart_time").span(crashes.restart_time)
}

fn check_outage(at: &At<'_>, outage: &Outage, horizon: Duration) -> Checked {
    at.to("until").span(outage.until)?;
    if outage.until <= outage.from {
        let limit = format!("after its start, {}", Span(outage.from));
        return Err(at.to("until").refuse(Span(outage.until), limit));
    }
    before(&at.to("from"), outage.from, horizon)
}

fn check_deploy(at: &At<'_>, deploy: &Deploy, horizon: Duration) -> Checked {
    before(&at.to("at"), deploy.at, horizon)?;
    if let Some(every) = deploy.every {
        at.to("every").span_from(every, SHORTEST_INTERVAL)?;
    }
    at.to("restart_time").span(deploy.restart_time)
}

fn before(at: &At<'_>, time: Duration, horizon: Duration) -> Checked {
    if time < horizon {
        return Ok(());
    }
    Err(at.refuse(Span(time), format_args!("before the horizon, {}", Span(horizon))))
}

fn check_runner(at: &At<'_>, fleet: &Fleet, queue: &Queue) -> Checked {
    let policy = match fleet.failure_policy {
        FailurePolicy::LeaveToTimeout => worker::FailurePolicy::LeaveToTimeout,
        FailurePolicy::RetryNow => worker::FailurePolicy::RetryNow,
        FailurePolicy::Backoff { base, max } => worker::FailurePolicy::Backoff(Backoff::new(base, max)),
    };
    let mut builder = Runner::builder(queue)
        .clock(ManualClock::default())
        .concurrency(fleet.concurrency)
        .prefetch(fleet.prefetch)
        .max_messages(fleet.max_messages)
        .wait_time(if fleet.wait_time.is_zero() {
            TICK
        } else {
            fleet.wait_time
        })
        .heartbeat(fleet.heartbeat)
        .failure_policy(policy)
        .shutdown_timeout(fleet.shutdown_timeout);
    if let Some(timeout) = fleet.visibility_timeout {
        builder = builder.visibility_timeout(timeout);
    }
    if let Some(timeout) = fleet.handler_timeout {
        builder = builder.handler_timeout(timeout);
    }
    let built = builder.each(|_: &Job| Ok::<(), String>(()));
    let Err(error) = built else { return Ok(()) };
    let at = match error {
        BuildRunnerError::MaxMessages(_) => at.to("max_messages"),
        BuildRunnerError::WaitTime(_) => at.to("wait_time"),
        BuildRunnerError::VisibilityTimeout(_) => at.to("visibility_timeout"),
        BuildRunnerError::HandlerTimeout(_) | BuildRunnerError::HandlerOutlivesVisibility { .. } => {
            at.to("handler_timeout")
        }
        BuildRunnerError::PrefetchWithoutHeartbeat(_) => at.to("prefetch"),
        BuildRunnerError::Backoff(_) => {
            let policy = at.to("failure_policy");
            return Err(policy.to("backoff").fail(error.to_string()));
        }
        _ => return Err(at.fail(error.to_string())),
    };
    Err(at.fail(error.to_string()))
}
