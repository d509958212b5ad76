//! The conformance suite on this server, and the requirements that moto does not keep.

use {
    crate::server::{self, Server},
    requeue::{
        backend::SqsQueue,
        testing::conformance::{Created, Fixture, Wanted, requirements},
    },
    std::{
        any::Any,
        panic::{self, AssertUnwindSafe, catch_unwind},
        thread,
        time::{Duration, Instant},
    },
    tokio::{runtime::Handle, time},
};

/// The requirements that moto does not keep, and how the sentence begins by which the check says so. It may keep the first,
/// as its sequence numbers are drawn by chance.
const DEVIATES: [(&str, &str); 3] = [
    (
        "fifo_messages_arrive_as_sent",
        "messages of a FIFO queue have rising sequence numbers, not ",
    ),
    (
        "an_expired_lease_is_reported",
        "to hide a message of a FIFO queue whose visibility timeout is over is NotHeld under its index, 0, not []",
    ),
    (
        "bad_parameters_are_refused",
        "a send without a body is Refused, not Ok(())",
    ),
];

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
    // The sentences of panics are printed here.
    panic::set_hook(Box::new(|_| {}));
    let results: Vec<_> = thread::scope(|scope| {
        let checks = all.iter().filter(|it| chosen(it.name())).map(|requirement| {
            let (server, runtime) = (server.clone(), runtime.clone());
            let check = move || {
                let fixture = OnServer { server, runtime };
                let start = Instant::now();
                let broken = catch_unwind(AssertUnwindSafe(|| requirement.check(&fixture))).err();
                (broken.map(sentence), start.elapsed().as_secs_f64())
            };
            (requirement.name(), scope.spawn(check))
        });
        let checks: Vec<_> = checks.collect();
        let joined = checks
            .into_iter()
            .map(|(name, it)| (name, it.join().expect("panics are caught")));
        joined.collect()
    });
    let unexpected = results
        .into_iter()
        .filter(|(name, (broken, spent))| !is_expected(name, broken.as_deref(), *spent));
    unexpected.count()
}

/// Tells the result of a check.
fn is_expected(name: &str, broken: Option<&str>, spent: f64) -> bool {
    let deviation = DEVIATES.iter().find(|(deviating, _)| *deviating == name);
    match (broken, deviation) {
        (None, _) => println!("ok      {name}, {spent:.1} s"),
        (Some(broken), Some((_, known))) if broken.starts_with(known) => {
            println!("moto    {name}, {spent:.1} s: {broken}");
        }
        (Some(broken), _) => {
            println!("FAILED  {name}, {spent:.1} s: {broken}");
            return false;
        }
    }
    true
}

fn sentence(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    let text = text.unwrap_or_default();
    match text.split_once(" is broken: ") {
        Some((_, sentence)) => sentence.to_owned(),
        None => text,
    }
}
