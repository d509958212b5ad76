//! A development tool: Amazon SQS's API on a loopback address, for programs in any language and for conformance suites.
//! `cargo run --release -p sqs_endpoint [-- --addr 127.0.0.1:9324]`; `-- --help` lists the options.
//!
//! One service per account and region, as the credential scope of a request names them; signatures are not checked,
//! and nothing outlives the process. Ctrl-C or SIGTERM lets running answers finish and ends long polls.

#[cfg(test)]
mod extended_client;
mod log;
mod options;
mod regions;
mod server;
mod stop;
#[cfg(test)]
mod tests;

use {
    options::{HELP, Options},
    regions::Regions,
    server::Server,
    std::{
        env,
        error::Error,
        fmt::Display,
        io::{self, Write},
        process::ExitCode,
        sync::Arc,
    },
};

fn main() -> ExitCode {
    let options = match options::parse(env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = writeln!(io::stdout(), "{HELP}");
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
    runtime.block_on(async {
        let stop = stop::signal()?;
        let bound = Server::bind(options).await;
        let server = bound.map_err(|error| format!("{}: {error}", options.address))?;
        let address = server.address()?;
        let regions = Arc::new(Regions::new(options, address));
        say("sqs_endpoint is a development tool: it checks no signature and keeps nothing when it ends");
        say(format_args!("listening on http://{address}"));
        for name in &options.queues {
            let created = regions.create_queue(name);
            say(created.map_err(|error| format!("--queue {name}: {error}"))?);
        }
        server.run_until(stop, regions).await?;
        say("stopped");
        Ok(())
    })
}

/// That nobody listens is no reason to panic.
fn say(what: impl Display) {
    let _ = writeln!(io::stdout(), "{what}");
}

fn complain(exit_code: u8, what: impl Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "sqs_endpoint: {what}");
    ExitCode::from(exit_code)
}
