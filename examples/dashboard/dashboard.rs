//! A dashboard for the queues and workers of a running process: a page that is live, and actions with a confirmation.
//! `cargo run --release -p dashboard` starts it with a demonstration load and prints its address; `-- --help` lists the
//! options.
//!
//! It listens on a loopback address and answers no page of another origin; it knows no users and no passwords. The
//! folder `data` is what an application with a server of its own copies.

mod actions;
mod data;
mod demo;
mod guard;
mod options;
mod patience;
mod server;
#[path = "../sqs_endpoint/stop.rs"]
mod stop;
#[cfg(test)]
mod tests;

use {
    demo::Demo,
    options::{HELP, Options},
    server::{Limits, Server},
    std::{
        env,
        error::Error,
        fmt::Display,
        future::Future,
        io::{self, Write},
        process::{self, ExitCode},
    },
};

fn main() -> ExitCode {
    let options = match options::parse(env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => return complain(2, format!("{error}; --help lists the options")),
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(1, error),
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let stop = stop::signal()?;
        let (demo, dashboard) = Demo::start(options.messages)?;
        let bound = Server::bind(options.address, dashboard, options.read_only, Limits::default()).await;
        let server = bound.map_err(|error| format!("{}: {error}", options.address))?;
        say(format_args!("listening on http://{}", server.address()?));
        say("the handlers of the demonstration panic now and then on purpose, to show what the page makes of it");
        server.run_until(first(stop)).await;
        demo.stop().await;
        say("stopped");
        Ok(())
    });
    // A search that nobody waits for any more is left where it is.
    runtime.shutdown_background();
    served
}

/// Done when `stop` is; a signal after it ends the process at once.
async fn first(stop: impl Future) {
    stop.await;
    if let Ok(second) = stop::signal() {
        tokio::spawn(async {
            let _ = second.await;
            process::exit(1);
        });
    }
}

/// That nobody listens is no reason to panic.
fn say(what: impl Display) {
    let _ = writeln!(io::stdout(), "{what}");
}

fn complain(exit_code: u8, what: impl Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "dashboard: {what}");
    ExitCode::from(exit_code)
}
