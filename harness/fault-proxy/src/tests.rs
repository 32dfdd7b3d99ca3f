use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use sim_core::clock::{Clock, Mode};
use sim_core::faults::FaultSet;
use sim_core::journal::{Filter, Journal};
use sim_core::net::{Net, NetError, ProxyRules};
use sim_core::seed::Seed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::{Gateway, GatewayConfig, StartError};

struct Fixture {
    gateway: Gateway,
    journal: Journal,
    faults: FaultSet,
    clock: Clock,
}

fn pairs(routes: &[(&str, SocketAddr)]) -> Vec<(crate::HostPattern, SocketAddr)> {
    routes.iter().map(|(host, address)| (host.parse().unwrap(), *address)).collect()
}

async fn start(routes: &[(&str, SocketAddr)], allow: &[&str], upstream: Option<String>) -> Fixture {
    let clock = Clock::new(Mode::Manual, jiff::Timestamp::UNIX_EPOCH);
    let journal = Journal::new(clock.clone());
    let seed = Seed::new(1);
    let faults = FaultSet::new(seed, clock.clone(), journal.clone());
    let config = GatewayConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        routes: pairs(routes),
        allow: allow.iter().map(|host| host.parse().unwrap()).collect(),
        upstream,
        no_proxy: Some("localhost".into()),
        clock: clock.clone(),
        journal: journal.clone(),
        faults: faults.clone(),
        seed,
    };
    Fixture { gateway: Gateway::start(config).await.unwrap(), journal, faults, clock }
}

impl Fixture {
    /// A client for which the gateway is the Internet.
    fn net(&self) -> Net {
        Net::builder().egress(Some(self.gateway.addr())).build().unwrap()
    }

    /// A client for which the gateway is the proxy of plain requests.
    async fn get(&self, url: &str) -> Result<(u16, String), NetError> {
        let proxy = format!("http://{}", self.gateway.addr());
        let net = Net::builder().proxy(ProxyRules::new(None, Some(&proxy), None)).build().unwrap();
        let reply = net.http().send(Request::get(url).body(Bytes::new()).unwrap()).await?;
        Ok((reply.status().as_u16(), String::from_utf8_lossy(reply.body()).into_owned()))
    }

    fn kinds(&self) -> Vec<String> {
        self.journal.read(&Filter::default()).iter().map(|event| event.kind.clone()).collect()
    }

    fn rule(&self, rule: &str) {
        self.faults.add(serde_json::from_str(rule).unwrap());
    }
}

/// Says what it was sent once the client has ended its side, in capitals.
async fn shouter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut heard = String::new();
                stream.read_to_string(&mut heard).await.unwrap();
                stream.write_all(heard.to_uppercase().as_bytes()).await.unwrap();
            });
        }
    });
    address
}

/// Answers each plain HTTP request with its head.
async fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = vec![0u8; 4096];
                let length = stream.read(&mut head).await.unwrap();
                let reply =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(reply.as_bytes()).await.unwrap();
                stream.write_all(&head[..length]).await.unwrap();
            });
        }
    });
    address
}

#[tokio::test]
async fn a_routed_host_is_tunnelled_and_either_side_may_end_first() {
    let fixture = start(&[("*.azure.com", shouter().await)], &[], None).await;
    let mut stream = fixture.net().connect("http", "management.azure.com", 443).await.unwrap();
    stream.write_all(b"half").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "HALF");
    assert!(fixture.kinds().is_empty());
}

#[tokio::test]
async fn bytes_sent_together_with_connect_reach_the_target() {
    let fixture = start(&[("a.test", shouter().await)], &[], None).await;
    let mut stream = TcpStream::connect(fixture.gateway.addr()).await.unwrap();
    stream.write_all(b"CONN").await.unwrap();
    stream.write_all(b"ECT A.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\nearly").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "HTTP/1.1 200 Connection established\r\n\r\nEARLY");
}

#[tokio::test]
async fn a_host_that_nobody_knows_is_refused_with_an_explanation_and_journalled() {
    let fixture = start(&[], &[], None).await;
    let error = fixture.net().connect("http", "example.com", 443).await.err().unwrap();
    assert!(
        matches!(&error, NetError::Proxy { status: 403, text, .. } if text.contains("--allow example.com"))
    );
    let (status, text) = fixture.get("http://example.com/x").await.unwrap();
    assert_eq!((status, text.contains("neither simulated nor allowed")), (403, true));
    assert_eq!(fixture.kinds(), ["unrouted", "unrouted"]);
}

#[tokio::test]
async fn routes_can_change_while_it_runs() {
    let fixture = start(&[], &[], None).await;
    assert!(fixture.net().connect("http", "a.test", 1).await.is_err());
    fixture.gateway.set_routes(pairs(&[("a.test", shouter().await)]));
    assert!(fixture.net().connect("http", "a.test", 1).await.is_ok());
    fixture.gateway.set_routes(Vec::new());
    assert!(fixture.net().connect("http", "a.test", 1).await.is_err());
}

#[tokio::test]
async fn plain_requests_are_forwarded_in_origin_form_without_the_proxys_headers() {
    let dead = "127.0.0.1:1".parse().unwrap();
    let fixture = start(&[("plain.test:80", origin().await), ("dead.test", dead)], &[], None).await;
    let (status, head) = fixture.get("http://plain.test/a?b").await.unwrap();
    assert_eq!(status, 200);
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: plain.test\r\n"), "{head}");
    let (status, text) = fixture.get("http://dead.test/").await.unwrap();
    assert_eq!((status, text.contains("cannot connect to dead.test:80")), (502, true));
}

#[tokio::test]
async fn allowed_hosts_go_through_the_upstream_proxy() {
    let upstream =
        start(&[("example.com", shouter().await), ("plain.test", origin().await)], &[], None).await;
    let url = upstream.gateway.addr().to_string();
    let fixture = start(&[], &["example.com", "plain.test"], Some(url)).await;
    let mut stream = fixture.net().connect("http", "example.com", 443).await.unwrap();
    stream.write_all(b"hi").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "HI");
    assert_eq!(fixture.get("http://plain.test/").await.unwrap().0, 200);
    assert_eq!(fixture.kinds(), ["allowed", "allowed"]);
}

#[tokio::test]
async fn what_the_user_reaches_without_a_proxy_does_not_go_through_it() {
    let upstream = start(&[], &[], None).await;
    let fixture = start(&[], &["localhost", "other.test"], Some(upstream.gateway.addr().to_string())).await;
    let direct = format!("http://localhost:{}/", origin().await.port());
    assert_eq!(fixture.get(&direct).await.unwrap().0, 200);
    assert!(upstream.kinds().is_empty());
    assert_eq!(fixture.get("http://other.test/").await.unwrap().0, 403);
    assert_eq!(upstream.kinds(), ["unrouted"]);
}

#[tokio::test]
async fn the_wire_hook_refuses_answers_and_resets() {
    let fixture = start(&[("*", origin().await)], &[], None).await;
    fixture.rule(r#"{"id":"a","hook":"wire","match":{"facts":{"host":"refuse.test"}},"effect":"refuse"}"#);
    fixture.rule(r#"{"id":"b","hook":"wire","match":{"facts":{"host":"auth.test"}},"effect":"respond","status":407,"code":"ProxyAuth","message":"who are you"}"#);
    fixture.rule(r#"{"id":"c","hook":"wire","match":{"facts":{"host":"reset.test"}},"effect":"reset"}"#);
    let status = async |host: &str| match fixture.net().connect("http", host, 443).await.err().unwrap() {
        NetError::Proxy { status, .. } => status,
        _ => 0,
    };
    assert_eq!(status("refuse.test").await, 502);
    assert_eq!(status("auth.test").await, 407);
    assert_eq!(status("reset.test").await, 0);
    assert_eq!(fixture.get("http://auth.test/").await.unwrap(), (407, "ProxyAuth: who are you\n".into()));
    let reset = fixture.get("http://reset.test/").await.unwrap_err().to_string();
    assert!(reset.contains("reset"), "{reset}");
    assert!(fixture.net().connect("http", "other.test", 443).await.is_ok());
}

#[tokio::test]
async fn the_wire_hook_delays_in_the_worlds_time_and_hangs_for_good() {
    let fixture = start(&[("*", origin().await)], &[], None).await;
    fixture.rule(
        r#"{"id":"a","hook":"wire","match":{"facts":{"host":"slow.test"}},"effect":"delay","millis":60000}"#,
    );
    fixture.rule(r#"{"id":"b","hook":"wire","match":{"facts":{"host":"hang.test"}},"effect":"hang"}"#);
    let (net, clock) = (fixture.net(), fixture.clock.clone());
    let slow = tokio::spawn(async move { net.connect("http", "slow.test", 443).await.is_ok() });
    let net = fixture.net();
    let hang = tokio::spawn(async move { net.connect("http", "hang.test", 443).await.is_ok() });
    while fixture.kinds().len() < 2 {
        fixture.journal.changed(fixture.journal.read(&Filter::default()).len() as u64).await;
    }
    assert!(!slow.is_finished());
    clock.advance(Duration::from_secs(61)).await;
    assert!(slow.await.unwrap());
    assert!(!hang.is_finished());
    fixture.gateway.shutdown().await;
    assert!(!hang.await.unwrap());
}

#[tokio::test]
async fn shutdown_and_drop_free_the_port_and_cut_connections() {
    for drops in [false, true] {
        let fixture = start(&[("*", shouter().await)], &[], None).await;
        let address = fixture.gateway.addr();
        let mut stream = fixture.net().connect("http", "a.test", 443).await.unwrap();
        if drops {
            drop(fixture.gateway);
        } else {
            fixture.gateway.shutdown().await;
        }
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn bad_requests_and_bad_settings_are_explained() {
    let fixture = start(&[], &[], None).await;
    for (request, status) in [
        ("CONNECT nowhere HTTP/1.1\r\n\r\n", "400"),
        ("CONNECT :443 HTTP/1.1\r\n\r\n", "400"),
        ("CRASH\r\n\r\n\r\n", "400"),
        ("COPY http://a/ HTTP/1.1\r\n\r\n", "501"),
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "400"),
    ] {
        let mut stream = TcpStream::connect(fixture.gateway.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {reply}");
    }
    let clock = fixture.clock.clone();
    let config = |listen: SocketAddr, upstream: Option<&str>| GatewayConfig {
        listen,
        routes: Vec::new(),
        allow: Vec::new(),
        upstream: upstream.map(Into::into),
        no_proxy: None,
        clock: clock.clone(),
        journal: fixture.journal.clone(),
        faults: fixture.faults.clone(),
        seed: Seed::new(1),
    };
    let taken = Gateway::start(config(fixture.gateway.addr(), None)).await.unwrap_err();
    assert!(matches!(taken, StartError::Listen { .. }));
    let upstream = Gateway::start(config("127.0.0.1:0".parse().unwrap(), Some(":"))).await.unwrap_err();
    assert!(matches!(upstream, StartError::Upstream(_)));
}
