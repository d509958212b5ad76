//! The conformance suite on this server, and the requirements that moto does not keep.

use {
    crate::server::{self, Server},
    requeue::{
        backend::SqsQueue,
        testing::conformance::{Created, Fixture, Wanted, requirements},
    },
    std::{
        panic::{AssertUnwindSafe, catch_unwind},
        thread,
        time::{Duration, Instant},
    },
    tokio::{runtime::Handle, time},
};

/// What moto does otherwise than SQS, by requirement.
const DEVIATES: &[(&str, &str)] = &[];

struct OnServer {
    server: Server,
    runtime: Handle,
}

impl Fixture for OnServer {
    type Queue = SqsQueue;

    async fn create(&self, wanted: Wanted) -> Created<SqsQueue> {
        let wanted = server::Wanted {
            fifo: wanted.fifo,
            visibility_timeout: wanted.visibility_timeout,
            max_receives: wanted.dead_letter_queue.then_some(1_000),
        };
        let created = self.server.create(wanted).await;
        let (queue, dead_letter_queue) = created.expect("the server creates a queue");
        Created::new(queue, dead_letter_queue)
    }

    async fn delete_queue(&self, queue: &SqsQueue) {
        self.server.delete(queue).await.expect("the server deletes a queue");
    }

    async fn pass(&self, span: Duration) {
        time::sleep(span).await;
    }

    fn run<T>(&self, check: impl Future<Output = T>) -> T {
        self.runtime.block_on(check)
    }
}

/// Checks all requirements at the same time, each on queues of its own; how many are not as expected.
pub fn check(runtime: &Handle, server: &Server, chosen: impl Fn(&str) -> bool) -> usize {
    let all = requirements::<OnServer>();
    let results: Vec<_> = thread::scope(|scope| {
        let checks = all.iter().filter(|it| chosen(it.name())).map(|requirement| {
            let (server, runtime) = (server.clone(), runtime.clone());
            let checked = scope.spawn(move || {
                let fixture = OnServer { server, runtime };
                let start = Instant::now();
                let kept = catch_unwind(AssertUnwindSafe(|| requirement.check(&fixture)));
                (kept.is_ok(), start.elapsed().as_secs_f64())
            });
            (requirement.name(), checked)
        });
        let checks: Vec<_> = checks.collect();
        let results = checks
            .into_iter()
            .map(|(name, it)| (name, it.join().expect("no panic gets out")));
        results.collect()
    });
    let mut unexpected = 0;
    for (name, (kept, spent)) in results {
        let deviation = DEVIATES.iter().find(|(deviating, _)| *deviating == name);
        match (kept, deviation) {
            (true, None) => println!("ok      {name}, {spent:.1} s"),
            (false, Some((_, how))) => println!("moto    {name}, {spent:.1} s: {how}"),
            (true, Some((_, how))) => {
                unexpected += 1;
                println!("KEPT    {name}, which moto did not keep: {how}");
            }
            (false, None) => {
                unexpected += 1;
                println!("FAILED  {name}");
            }
        }
    }
    unexpected
}
