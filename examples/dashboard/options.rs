//! The command line.

use {
    lexopt::{
        Arg::{Long, Short},
        ValueExt,
    },
    std::{
        ffi::OsString,
        net::{IpAddr, Ipv4Addr, SocketAddr},
    },
};

pub(crate) const HELP: &str = "\
A dashboard of the queues and workers in this process, with a demonstration load.

Usage: dashboard [OPTIONS]

  --addr IP      the loopback address to listen on; by default 127.0.0.1
  --port N       the port; by default 9325, 0 takes any that is free
  --read-only    show no actions, and refuse them
  --messages N   put N messages into a queue `archive` that nobody works on, at most 1,000,000
  -h, --help     this text";

const MAX_MESSAGES: usize = 1_000_000;

#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) read_only: bool,
    pub(crate) messages: usize,
}

/// The options, or none if help is asked for.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9_325)),
        read_only: false,
        messages: 0,
    };
    let mut arguments = lexopt::Parser::from_args(arguments);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("addr") => options.address.set_ip(arguments.value()?.parse_with(loopback)?),
            Long("port") => options.address.set_port(arguments.value()?.parse()?),
            Long("read-only") => options.read_only = true,
            Long("messages") => options.messages = arguments.value()?.parse_with(messages)?,
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}

fn loopback(text: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => Ok(address),
        Ok(_) => Err("the dashboard knows no passwords and listens on loopback addresses only".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn messages(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number <= MAX_MESSAGES => Ok(number),
        Ok(_) => Err(format!("the most messages are {MAX_MESSAGES}")),
        Err(error) => Err(format!("{error}")),
    }
}
