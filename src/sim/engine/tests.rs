use {
    super::simulate,
    crate::sim::{Progress, measure::Measured, scenario::Scenario},
};

fn run(text: &str) -> Measured {
    let scenario: Scenario = toml::from_str(text).unwrap();
    simulate(&scenario, 0, &Progress::new()).unwrap()
}

#[test]
fn probe() {
    let text = std::env::var("LAB").unwrap_or_else(|_| {
        "
horizon = 1000
[queue.jobs]
[producer.web]
queue = 'jobs'
arrivals.poisson = { rate = 24 }
[fleet.workers]
queue = 'jobs'
workers = 3
max_messages = 1
service.exponential = { mean = 0.1 }
"
        .into()
    });
    let started = crate::SystemClock::new();
    use crate::Clock;
    let t = started.now();
    let measured = run(&text);
    let took = started.now().saturating_duration_since(t);
    for (name, queue) in &measured.queues {
        println!("{name}: {:?} little {:?}", queue.totals, queue.little);
        println!(
            "  first {:?} {:?} p99 {:?}",
            queue.time_to_first_receive.mean().mean(),
            queue.time_to_completion.mean().mean(),
            queue.time_to_completion.quantile(0.99)
        );
        println!("  {:?}", queue.calls);
        println!("  {:.0} sent/s", queue.totals.sent as f64 / took.as_secs_f64());
    }
    for (name, fleet) in &measured.fleets {
        println!(
            "{name}: busy {:?} {:?} begun {} failed {} cut {} wasted {} heart {} crashes {}",
            fleet.busy.mean(),
            fleet.staff.mean(),
            fleet.begun,
            fleet.failed,
            fleet.cut_short,
            fleet.wasted_seconds,
            fleet.heartbeats,
            fleet.crashes
        );
    }
    println!("{took:?}");
}
