//! The worker on the SDK's own client, over HTTP, against moto's server: `tests/clients/moto/run` starts both.
//!
//! Prints a line for each story and for each requirement of the conformance suite, and ends with 1 if anything is not as
//! expected. Queues get new names on every run.

#![allow(clippy::disallowed_methods, reason = "the server's time is the machine's")]

mod conformance;
mod fifo;
mod jobs;
mod requests;
mod schedules;
mod server;
mod stops;

use {
    server::{Outcome, Server},
    std::{env, process::ExitCode, time::Instant},
    tokio::runtime::{Builder, Handle},
};

macro_rules! stories {
    ($($file:ident: $($name:ident)+;)+) => {
        [$($((
            stringify!($name),
            |server: Server| Handle::current().spawn($file::$name(server)),
        )),+),+]
    };
}

type Story = (&'static str, fn(Server) -> tokio::task::JoinHandle<Outcome<String>>);

const STORIES: [Story; 8] = stories! {
    jobs: every_job_is_done_once long_handlers_keep_their_leases threads_keep_their_leases;
    fifo: groups_are_worked_on_in_order;
    stops: a_stop_gives_messages_back a_stop_waits_for_the_answer_to_a_long_poll;
    requests: requests_get_their_answers;
    schedules: jobs_come_when_they_are_due;
};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let Some(endpoint) = arguments.next() else {
        eprintln!("usage: requeue-moto ENDPOINT [NAME ..]");
        return ExitCode::from(2);
    };
    let names: Vec<String> = arguments.collect();
    let chosen = |name: &str| names.is_empty() || names.iter().any(|it| it == name);
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("the runtime starts");
    let server = Server::new(&endpoint);
    let mut failed = 0;
    for (name, story) in STORIES.iter().filter(|(name, _)| chosen(name)) {
        let start = Instant::now();
        let told = runtime.block_on(async { story(server.clone()).await });
        let spent = start.elapsed().as_secs_f64();
        match told {
            Ok(Ok(told)) => println!("ok      {name}, {spent:.1} s: {told}"),
            Ok(Err(error)) => {
                failed += 1;
                println!("FAILED  {name}: {error}");
            }
            // The panic has been printed.
            Err(_) => {
                failed += 1;
                println!("FAILED  {name}");
            }
        }
    }
    failed += conformance::check(runtime.handle(), &server, chosen);
    println!("{failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
