//! Who is refused, and what browsers are told.

use {
    super::{Limits, Site, World},
    crate::options,
    serde_json::json,
    std::{
        io::{BufRead, BufReader, Read, Write},
        net::{Shutdown, TcpStream},
        time::{Duration, Instant},
    },
};

const PATHS: [&str; 4] = ["/", "/api/overview", "/api/queues/jobs/messages", "/api/events"];

#[test]
fn a_foreign_host_is_refused_whatever_is_asked() {
    let world = World::new();
    world.queue("jobs");
    let site = world.site();
    let port = site.address.port();
    let foreign = [
        "Host: dashboard.example.com\r\n".to_owned(),
        format!("Host: evil.example.com:{port}\r\n"),
        format!("Host: localhost.example.com:{port}\r\n"),
        "Host: localhost\r\n".to_owned(),
        format!("Host: 127.0.0.1:{}\r\n", port ^ 1),
        format!("Host: localhost:{port}\r\nHost: localhost:{port}\r\n"),
        "Host: \r\n".to_owned(),
    ];
    for host in &foreign {
        for path in PATHS {
            let answer = site.request("GET", path, host, "");
            assert!([400, 421].contains(&answer.status), "{host}{path}: {}", answer.head);
        }
    }
    let proxied = site.request("GET", "/", &foreign[0], "").error();
    assert!(proxied.contains(&format!("http://127.0.0.1:{port}")), "{proxied}");
    let absolute = site.request("GET", "http://evil.example.com/", &site.host(), "");
    assert_eq!(absolute.status, 421);
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"] {
        assert_eq!(
            site.request("GET", "/", &format!("Host: {host}:{port}\r\n"), "").status,
            200,
            "{host}"
        );
    }
}

#[test]
fn foreign_origins_are_refused_reads_and_actions() {
    let world = World::new();
    let jobs = world.queue("jobs");
    let site = world.site();
    let own = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", site.address);
    let foreign = [
        "Origin: https://evil.example.com\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        format!("Origin: https://{}\r\n", site.address),
        "Origin: http://127.0.0.1:1\r\n".to_owned(),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
    ];
    let action = json!({ "action": "send", "queue": "jobs", "body": "m" }).to_string();
    let json = "Content-Type: application/json\r\n";
    for header in &foreign {
        for path in PATHS {
            let answer = site.request("GET", path, &format!("{}{header}", site.host()), "");
            assert_eq!(answer.status, 403, "{header}{path}");
        }
        let answer = site.request(
            "POST",
            "/api/action",
            &format!("{}{json}{header}", site.host()),
            &action,
        );
        assert_eq!(answer.status, 403, "{header}");
    }
    let typed = format!("{}{json}Sec-Fetch-Site: none\r\n", site.host());
    assert_eq!(
        site.request("POST", "/api/action", &typed, &action).status,
        403,
        "nobody types an action"
    );
    assert_eq!(site.request("GET", "/", &typed, "").status, 200);
    assert_eq!(jobs.counts().visible, 0);
    let answer = site.request("POST", "/api/action", &format!("{}{json}{own}", site.host()), &action);
    assert_eq!((answer.status, jobs.counts().visible), (200, 1), "{}", answer.body);
}

#[test]
fn every_answer_has_the_policies() {
    let world = World::new();
    let site = world.site();
    let refused = site.request("GET", "/", "Host: example.com\r\n", "");
    for answer in [
        site.get("/"),
        site.get("/page.js"),
        site.get("/api/overview"),
        site.get("/nowhere"),
        refused,
    ] {
        for policy in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';",
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "referrer-policy: no-referrer",
        ] {
            assert!(answer.head.contains(policy), "{policy}: {}", answer.head);
        }
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
    assert!(
        !["http:", "https:", "//cdn"]
            .iter()
            .any(|it| site.get("/").body.contains(it)),
        "nothing from elsewhere"
    );
}

#[test]
fn an_action_is_json_of_a_known_form_and_bounded() {
    let world = World::new();
    world.queue("jobs");
    let site = world.site();
    let post = |content_type: &str, body: &str| {
        let headers = format!("{}Content-Type: {content_type}\r\n", site.host());
        site.request("POST", "/api/action", &headers, body)
    };
    let action = json!({ "action": "send", "queue": "jobs", "body": "m" }).to_string();
    assert_eq!(post("text/plain", &action).status, 415);
    assert_eq!(
        post("application/x-www-form-urlencoded", "action=purge&queue=jobs").status,
        415
    );
    for bad in [
        "",
        "{",
        "[]",
        "null",
        r#"{"action":"explode"}"#,
        r#"{"action":"purge"}"#,
        r#"{"action":"purge","queue":"jobs","all":true}"#,
    ] {
        let answer = post("application/json", bad);
        assert!(
            answer.status == 400 && answer.error().starts_with("this is no action: "),
            "{bad}: {}",
            answer.body
        );
    }
    let deep = format!(r#"{{"action":{}"#, "[".repeat(100_000));
    assert_eq!(post("application/json", &deep).status, 400);
    assert_eq!(post("application/json; charset=utf-8", &action).status, 200);
    let too_long = site.send(&format!("POST /api/action HTTP/1.1\r\nConnection: close\r\n{}Content-Type: application/json\r\nContent-Length: 9000000\r\n\r\n", site.host()));
    assert_eq!(too_long.status, 413);
    // One byte more than an action may have, in a chunk that does not end.
    let unannounced = site.send(&format!("POST /api/action HTTP/1.1\r\nConnection: close\r\n{}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n800001\r\n{}", site.host(), " ".repeat(0x80_0001)));
    let limit = "the longest action has 8388608 bytes";
    assert_eq!((unannounced.status, unannounced.error()), (413, limit.to_owned()));
}

#[test]
fn every_error_is_json() {
    let world = World::new();
    world.queue("jobs");
    let site = world.site();
    for (path, status) in [
        ("/nowhere", 404),
        ("/api/action", 405),
        ("/api/queues/%ff/messages", 400),
        ("/api/queues/%ff/messages/x", 400),
        ("/api/queues/jobs/messages?txt=dog", 400),
        ("/api/queues/jobs/messages?page=-1", 400),
        ("/api/queues/jobs/selection?text=a&text=b", 400),
    ] {
        let answer = site.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert!(
            answer.head.contains("content-type: application/json"),
            "{path}: {}",
            answer.head
        );
        assert!(!answer.error().is_empty(), "{path}");
    }
}

#[test]
fn connections_are_limited_and_those_that_say_nothing_are_closed() {
    let world = World::new();
    let limits = Limits {
        connections: 3,
        patience: Duration::from_millis(500),
    };
    let site = Site::limited(world.dashboard(), false, limits);
    let begun = Instant::now();
    let mut silent: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(site.address).unwrap()).collect();
    silent[1].write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    // One that has had its answer, and stays.
    let whole = format!("GET /icon.svg HTTP/1.1\r\n{}\r\n", site.host());
    silent[2].write_all(whole.as_bytes()).unwrap();
    assert_eq!(site.get("/api/overview").status, 200);
    assert!(begun.elapsed() >= limits.patience, "it waited for room");
    for mut stream in silent {
        let _ = stream.read_to_end(&mut Vec::new()).unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_client_that_takes_no_answer_is_closed() {
    let world = World::new();
    let limits = Limits {
        connections: 1,
        patience: Duration::from_millis(500),
    };
    let site = Site::limited(world.dashboard(), false, limits);
    let mut deaf = TcpStream::connect(site.address).unwrap();
    // More than the buffers between the two hold.
    let requests = format!("GET /views.js HTTP/1.1\r\n{}\r\n", site.host()).repeat(1_000);
    let _ = deaf.write_all(requests.as_bytes());
    let mut other = TcpStream::connect(site.address).unwrap();
    other.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = format!("GET /icon.svg HTTP/1.1\r\nConnection: close\r\n{}\r\n", site.host());
    other.write_all(request.as_bytes()).unwrap();
    let read = other.read_to_end(&mut Vec::new());
    assert!(read.is_ok(), "there is room for another one: {read:?}");
}

#[test]
fn who_ends_a_connection_on_one_side_has_an_answer() {
    let world = World::new();
    world.queue("jobs");
    let site = world.site();
    for path in ["/icon.svg", "/api/overview", "/api/queues/jobs/messages"] {
        let mut stream = TcpStream::connect(site.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", site.host());
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{path}: {answer}");
    }
}

#[test]
fn a_read_only_dashboard_refuses_every_action() {
    let world = World::new();
    let jobs = world.queue("jobs");
    jobs.send("m").unwrap();
    let site = Site::start(world.dashboard(), true);
    for action in [
        "redrive",
        "cancel",
        "purge",
        "pause",
        "resume",
        "send",
        "delete",
        "delete_matching",
    ] {
        let answer = site.post(&json!({ "action": action, "queue": "jobs", "body": "m" }));
        assert_eq!(
            (answer.status, answer.error()),
            (403, "this dashboard is read-only".to_owned()),
            "{action}"
        );
    }
    assert_eq!(jobs.counts().visible, 1);
    assert_eq!(site.get("/api/overview").json()["read_only"], true);
    assert_eq!(site.get("/api/queues/jobs/messages").status, 200);
}

#[test]
fn open_streams_share_overviews_and_end_with_the_server() {
    let world = World::new();
    let jobs = world.queue("jobs");
    let site = world.site();
    let request = format!("GET /api/events HTTP/1.1\r\n{}\r\n", site.host());
    let mut streams: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(site.address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            BufReader::new(stream).lines()
        })
        .collect();
    let mut next = |index: usize| {
        let lines = &mut streams[index];
        let data = lines.find_map(|line| line.unwrap().strip_prefix("data: ").map(str::to_owned));
        data.unwrap()
    };
    let first: Vec<String> = (0..20).map(&mut next).collect();
    let same = first.iter().filter(|it| **it == first[0]).count();
    assert!(same > 10, "{same} of 20 pages have the same overview");
    jobs.send("m").unwrap();
    assert!(
        (0..3).any(|_| next(0).contains(r#""visible":1"#)),
        "the next overviews have what happened"
    );
    let begun = Instant::now();
    drop(site);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    for lines in streams {
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        assert!(
            rest.ends_with(&["0".to_owned(), String::new()]),
            "it ends in order: {rest:?}"
        );
    }
}

#[test]
fn only_loopback_addresses_are_listened_on() {
    let parse = |arguments: &[&str]| options::parse(arguments.iter().map(Into::into));
    for address in ["0.0.0.0", "192.168.0.1", "::"] {
        let error = parse(&["--addr", address]).unwrap_err().to_string();
        assert!(error.contains("loopback addresses only"), "{error}");
    }
    let parsed = parse(&["--addr", "::1", "--port", "0", "--read-only", "--messages", "5"])
        .unwrap()
        .unwrap();
    assert_eq!(
        (parsed.address.to_string(), parsed.read_only, parsed.messages),
        ("[::1]:0".to_owned(), true, 5)
    );
    assert!(parse(&["--messages", "1000001"]).is_err() && parse(&["--all"]).is_err());
    assert_eq!(parse(&["--help"]).unwrap(), None);
}
