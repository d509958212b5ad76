//! Queue URLs that start with the host of the request.

use {super::http::Request, std::net::Ipv6Addr};

/// Host and port in the `Host` header of a request; none if there is not exactly one, or if it is malformed.
pub(super) fn of(request: &Request) -> Option<&str> {
    let is_host = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("Host");
    let mut hosts = request.headers.iter().filter(is_host);
    let (Some((_, host)), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    is_authority(host).then_some(host)
}

/// The URL with another host and port.
pub(super) fn replace(url: &str, host: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let path = rest.find('/').map_or("", |slash| &rest[slash..]);
    format!("{scheme}://{host}{path}")
}

/// A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port.
fn is_authority(text: &str) -> bool {
    let (is_host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            ((1..=253).contains(&name.len()) && name.bytes().all(in_alphabet), port)
        }
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(values: &[&str]) -> Option<String> {
        let request = Request::new("GET", "/").header("Accept", "a");
        let request = values
            .iter()
            .fold(request, |request, value| request.header("hOST", *value));
        of(&request).map(str::to_owned)
    }

    #[test]
    fn one_well_formed_host_is_taken_as_it_is() {
        let longest = "a".repeat(253);
        for text in [
            "localhost",
            "localhost:9324",
            "127.0.0.1:1",
            "my_queue-server.Local:65535",
            "[::1]",
            "[2001:db8::7]:9324",
            &longest,
        ] {
            assert_eq!(host(&[text]).as_deref(), Some(text));
        }
    }

    #[test]
    fn no_host_two_hosts_and_garbage_are_none() {
        let long = "a".repeat(254);
        assert_eq!(host(&[]), None);
        assert_eq!(host(&["localhost", "localhost"]), None);
        for text in [
            "",
            " ",
            ":9324",
            "localhost:",
            "localhost:x",
            "localhost:+1",
            "localhost:65536",
            "localhost:1:2",
            "::1",
            "[::1",
            "[::1]9324",
            "[::1]:",
            "[::g]",
            "[]",
            "[fe80::1%eth0]",
            "user@localhost",
            "localhost/path",
            "localhost?a",
            "localhost#a",
            "local host",
            "localhost, example.com",
            "localhost\r\nX: y",
            "\u{fc}",
            "<script>",
            &long,
        ] {
            assert_eq!(host(&[text]), None, "{text:?}");
        }
    }

    #[test]
    fn a_host_takes_the_place_of_host_and_port_alone() {
        for (url, expected) in [
            (
                "http://127.0.0.1:9324/us-east-1/1/jobs",
                "http://[::1]:7/us-east-1/1/jobs",
            ),
            ("https://sqs.us-east-1.amazonaws.com/1/jobs", "https://[::1]:7/1/jobs"),
            ("http://localhost", "http://[::1]:7"),
            ("local/1/jobs", "local/1/jobs"),
        ] {
            assert_eq!(replace(url, "[::1]:7"), expected);
        }
    }
}
