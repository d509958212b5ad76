//! The command line.

use {
    lexopt::{
        Arg::{Long, Short},
        ValueExt,
    },
    std::{ffi::OsString, net::SocketAddr},
};

pub(crate) const HELP: &str = "\
A development tool: answers Amazon SQS's API on a loopback address.

Usage: sqs_endpoint [OPTIONS]

  --addr ADDR      where to listen; by default 127.0.0.1:9324, port 0 takes any that is free
  --region NAME    the region of requests that name none, and of --queue; by default us-east-1
  --account ID     the account of requests that name none, and of --queue; by default 000000000000
  --queue NAME     create this queue at the start, a FIFO queue if it ends in .fifo; may be repeated
  --no-cooldowns   purge again, and create a deleted queue again, without waiting 60 seconds
  --throttling     answer RequestThrottled beyond SQS's quotas of calls per second
  --log            print each request
  -h, --help       this text

A request's credential scope names the region, and the account if its access key is 12 digits.";

#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) queues: Vec<String>,
    pub(crate) cooldowns: bool,
    pub(crate) throttling: bool,
    pub(crate) log: bool,
}

/// The options, or none if help is asked for.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        address: SocketAddr::from(([127, 0, 0, 1], 9324)),
        region: "us-east-1".to_owned(),
        account_id: "000000000000".to_owned(),
        queues: Vec::new(),
        cooldowns: true,
        throttling: false,
        log: false,
    };
    let mut arguments = lexopt::Parser::from_args(arguments);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("addr") => options.address = arguments.value()?.parse()?,
            Long("region") => options.region = arguments.value()?.parse_with(region)?,
            Long("account") => options.account_id = arguments.value()?.parse_with(account_id)?,
            Long("queue") => options.queues.push(arguments.value()?.string()?),
            Long("no-cooldowns") => options.cooldowns = false,
            Long("throttling") => options.throttling = true,
            Long("log") => options.log = true,
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}

/// A region is a segment of URLs and ARNs.
pub(crate) fn region(text: &str) -> Result<String, &'static str> {
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let well_formed = (1..=64).contains(&text.len()) && text.bytes().all(in_alphabet);
    well_formed
        .then(|| text.to_owned())
        .ok_or("a region has letters, digits and hyphens")
}

pub(crate) fn account_id(text: &str) -> Result<String, &'static str> {
    let well_formed = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| text.to_owned()).ok_or("an account has 12 digits")
}
