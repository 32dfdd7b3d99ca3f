use super::*;

const URL: &str = "https://secure.test/inside";

#[tokio::test]
async fn what_is_intercepted_is_read_by_whoever_trusts_the_proxy_and_refused_by_others() {
    let fixture = start("intercept: {except: [shout.test]}").await;
    let stranger = fixture.client("", false, false);
    let error = fixture.get(&stranger, URL).await.unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
    let trusting = fixture.client("", false, true);
    for _ in 0..2 {
        let (status, head) = fixture.get(&trusting, URL).await.unwrap();
        assert!(status == 200 && head.starts_with("GET /inside HTTP/1.1\r\n"), "{head}");
    }
    let kinds = fixture.kinds();
    for kind in ["untrusted", "intercepted", "request"] {
        assert!(kinds.contains(&kind.to_owned()), "{kinds:?}");
    }
    let stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    assert_eq!(exchange(stream, "hi").await.unwrap(), "HI");
}

#[tokio::test]
async fn each_flaw_of_a_certificate_is_noticed() {
    let fixture = start("intercept: {}").await;
    let trusting = fixture.client("", false, true);
    for (flaw, word) in [
        ("expired", "expired"),
        ("notYetValid", "not valid yet"),
        ("wrongName", "not valid for"),
        ("missingIntermediate", "UnknownIssuer"),
        ("unknownIssuer", "UnknownIssuer"),
    ] {
        fixture.proxy.set_config(config(&format!("intercept: {{certificate: {flaw}}}"))).unwrap();
        let error = fixture.get(&trusting, URL).await.unwrap_err().to_string();
        assert!(error.contains(word), "{flaw}: {error}");
    }
    // Only strict clients mind this one.
    fixture.proxy.set_config(config("intercept: {certificate: noKeyIdentifier}")).unwrap();
    assert_eq!(fixture.get(&trusting, URL).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_target_that_the_proxy_itself_does_not_trust_gets_502() {
    let clock = Clock::new(Mode::Manual, jiff::Timestamp::UNIX_EPOCH);
    let hosts = Arc::new(Authority::new("hosts", &Constraints::default(), clock.wall()).unwrap());
    let net = Net::builder().host(SECURE, origin(Some(&hosts)).await).build().unwrap();
    let fixture = start_with("intercept: {}", net, clock, hosts).await;
    let (status, text) = fixture.get(&fixture.client("", false, true), URL).await.unwrap();
    assert!(status == 502 && text.contains("TLS"), "{text}");
}

/// A websocket's beginning: the status line, and what the target says to `hi`.
async fn websocket(fixture: &Fixture) -> (String, Stream) {
    let mut stream = fixture.client("", false, true).connect("https", SECURE, 443).await.unwrap();
    let ask =
        format!("GET /ws HTTP/1.1\r\nhost: {SECURE}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0u8];
        stream.read_exact(&mut byte).await.unwrap();
        head.push(byte[0]);
    }
    (String::from_utf8(head).unwrap(), stream)
}

#[tokio::test]
async fn websockets_pass_are_stripped_refused_kept_back_or_cut_after_a_minute() {
    let fixture = start("intercept: {}").await;
    let (head, mut stream) = websocket(&fixture).await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: websocket"), "{head}");
    stream.write_all(b"hi").await.unwrap();
    let mut heard = [0u8; 2];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HI");
    for (upgrade, status) in [("strip", "200"), ("refuse", "403")] {
        fixture
            .proxy
            .set_config(config(&format!("{{intercept: {{}}, websockets: {{upgrade: {upgrade}}}}}")))
            .unwrap();
        let (head, _) = websocket(&fixture).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{upgrade}: {head}");
    }
    fixture.proxy.set_config(config("{intercept: {}, websockets: {upgrade: buffer}}")).unwrap();
    let (head, mut stream) = websocket(&fixture).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream.write_all(b"hi").await.unwrap();
    let silent = fixture.clock.wall_timeout(Duration::from_millis(50), stream.read_exact(&mut heard)).await;
    assert!(silent.is_err());
    fixture.proxy.set_config(config("{intercept: {}, websockets: {cutAfter: 60s}}")).unwrap();
    let (_, mut stream) = websocket(&fixture).await;
    stream.write_all(b"hi").await.unwrap();
    stream.read_exact(&mut heard).await.unwrap();
    fixture.clock.advance(Duration::from_secs(61)).await;
    assert!(stream.read_exact(&mut heard).await.is_err());
}

#[tokio::test]
async fn rules_strike_at_requests_inside_of_a_tunnel_that_is_open_already() {
    let fixture = start("{name: corp, intercept: {}}").await;
    let http = fixture.client("", false, true).http();
    let ask = || http.send(Request::get(URL).body(Bytes::new()).unwrap());
    assert_eq!(ask().await.unwrap().status(), 200);
    let rule = r#"{"id":"x","match":{"facts":{"route":"intercepted","method":"GET"}},"effect":"respond","status":503,"code":"a","message":"b"}"#;
    fixture.faults.add(serde_json::from_str::<sim_core::faults::WireRule>(rule).unwrap().0);
    assert_eq!(ask().await.unwrap().status(), 503);
    let connects = fixture.kinds().iter().filter(|kind| *kind == "intercepted").count();
    assert_eq!(connects, 1);
}

#[tokio::test]
async fn bytes_inside_of_a_tunnel_can_be_cut_too() {
    let fixture = start("{intercept: {}, rules: [{effect: resetAt, bytes: 30}]}").await;
    let error = fixture.get(&fixture.client("", false, true), URL).await.unwrap_err().to_string();
    assert!(!error.contains("certificate"), "{error}");
}
