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
  --account ID     the account of requests that name none, and of --queue; by default 123456789012
  --queue NAME     create this queue at the start, a FIFO queue if it ends in .fifo; may be repeated
  --public-url URL what queue URLs begin with, before /REGION/ACCOUNT/NAME; by default http:// and the host
                   that a request is sent to
  --no-cooldowns [purge|recreate|both]
                   do not wait 60 seconds before a queue is purged again, before a deleted queue is created
                   again, or either; without a word behind it: either
  --throttling     answer RequestThrottled beyond SQS's quotas of calls per second
  --log            print status, action, queue, error code and time of each request
  -h, --help       this text

A request's credential scope names the region, and the account if its access key is 12 digits.";

/// The account of Amazon's own examples.
const ACCOUNT: &str = "123456789012";

#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) queues: Vec<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) purge_cooldown: bool,
    pub(crate) recreate_cooldown: bool,
    pub(crate) throttling: bool,
    pub(crate) log: bool,
}

/// The options, or none if help is asked for.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        address: SocketAddr::from(([127, 0, 0, 1], 9324)),
        region: "us-east-1".to_owned(),
        account_id: ACCOUNT.to_owned(),
        queues: Vec::new(),
        public_url: None,
        purge_cooldown: true,
        recreate_cooldown: true,
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
            Long("public-url") => options.public_url = Some(arguments.value()?.parse_with(public_url)?),
            Long("no-cooldowns") => {
                let which = which(&mut arguments);
                let (purge, recreate) = which.map_or(Ok((true, true)), |which| which.parse_with(cooldowns))?;
                options.purge_cooldown &= !purge;
                options.recreate_cooldown &= !recreate;
            }
            Long("throttling") => options.throttling = true,
            Long("log") => options.log = true,
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}

/// The value of `--no-cooldowns`, behind `=` or as the next argument, if it has one.
fn which(arguments: &mut lexopt::Parser) -> Option<OsString> {
    let attached = arguments.optional_value();
    attached.or_else(|| {
        let mut rest = arguments.try_raw_args()?;
        rest.next_if(|next| next.to_str().is_some_and(|next| cooldowns(next).is_ok()))
    })
}

/// Whether to leave out the wait after a purge, and the one after a deletion.
fn cooldowns(text: &str) -> Result<(bool, bool), &'static str> {
    match text {
        "purge" => Ok((true, false)),
        "recreate" => Ok((false, true)),
        "both" => Ok((true, true)),
        _ => Err("there are the cooldowns purge, recreate and both"),
    }
}

/// The URL without slashes at its end.
fn public_url(text: &str) -> Result<String, &'static str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let is_legal = |byte: u8| byte.is_ascii_graphic() && !b"?#".contains(&byte);
    rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(is_legal))
        .map(|_| text.trim_end_matches('/').to_owned())
        .ok_or("a public URL begins with http:// or https:// and a host, and has neither ? nor #")
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
