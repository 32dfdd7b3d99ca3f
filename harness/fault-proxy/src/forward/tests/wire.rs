use super::*;

fn rule(text: &str) -> sim_core::faults::Rule {
    serde_json::from_str::<sim_core::faults::WireRule>(text).unwrap().0
}

#[tokio::test]
async fn rules_come_with_the_configuration_strike_at_this_proxy_only_and_change_while_it_runs() {
    let yaml = "name: corp\nrules:\n- {match: {facts: {host: shout.test}, nth: [1]}, effect: respond, status: 502, \
                code: Bad, message: gateway}";
    let fixture = start(yaml).await;
    assert_eq!(fixture.tunnel(SHOUTER, 443).await.err(), Some(502));
    assert!(fixture.tunnel(SHOUTER, 443).await.is_ok());
    let known = &fixture.faults.list()[0];
    assert_eq!((known.rule.id.as_str(), known.rule.matcher.facts["hop"].as_str()), ("corp-1", "corp"));
    fixture.faults.add(rule(r#"{"id":"x","match":{"facts":{"hop":"elsewhere"}},"effect":"reset"}"#));
    assert!(fixture.tunnel(SHOUTER, 443).await.is_ok());
    fixture.faults.add(rule(r#"{"id":"x","match":{"facts":{"hop":"corp"}},"effect":"reset"}"#));
    assert_eq!(fixture.tunnel(SHOUTER, 443).await.err(), Some(0));
    assert!(fixture.plain(&format!("http://{ORIGIN}/")).await.unwrap_err().to_string().contains("reset"));
    fixture.faults.clear(None);
    assert!(fixture.tunnel(SHOUTER, 443).await.is_ok());
}

#[tokio::test]
async fn tunnels_are_reset_and_cut_short_at_a_byte() {
    let fixture = start("").await;
    fixture.faults.add(rule(r#"{"id":"x","effect":"resetAt","bytes":3}"#));
    let mut stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut heard = Vec::new();
    let ended = stream.read_to_end(&mut heard).await;
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    fixture.faults.add(rule(r#"{"id":"x","effect":"truncate","bytes":3}"#));
    let mut stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"HEL");
}

#[tokio::test]
async fn plain_answers_are_reset_cut_short_and_slow_too() {
    let fixture = start("").await;
    let url = format!("http://{ORIGIN}/");
    // The answer's head takes about 40 bytes.
    fixture.faults.add(rule(r#"{"id":"x","effect":"truncate","bytes":60}"#));
    let error = fixture.plain(&url).await.unwrap_err().to_string();
    assert!(error.contains("end") || error.contains("closed"), "{error}");
    fixture.faults.add(rule(r#"{"id":"x","effect":"resetAt","bytes":5}"#));
    let error = fixture.plain(&url).await.unwrap_err().to_string();
    assert!(error.contains("reset"), "{error}");
    fixture.faults.add(rule(r#"{"id":"x","effect":"slow","millis":60000}"#));
    let net = fixture.client("", false, false);
    let asking =
        tokio::spawn(async move { net.http().send(Request::get(url).body(Bytes::new()).unwrap()).await });
    while fixture.kinds().last().map(String::as_str) != Some("request") {
        fixture.journal.changed(fixture.kinds().len() as u64).await;
    }
    let begun = fixture.clock.now();
    while !asking.is_finished() {
        fixture.clock.advance(Duration::from_secs(30)).await;
    }
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
    assert!(fixture.clock.now().duration_since(begun) >= jiff::SignedDuration::from_secs(120));
}

#[tokio::test]
async fn a_tunnel_is_cut_after_its_time_however_busy_it_is() {
    let fixture = start("").await;
    fixture.faults.add(rule(r#"{"id":"x","effect":"cut","millis":60000}"#));
    let mut stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    let mut heard = [0u8; 4];
    for _ in 0..5 {
        stream.write_all(b"ping").await.unwrap();
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"PING");
        fixture.clock.advance(Duration::from_secs(10)).await;
    }
    fixture.clock.advance(Duration::from_secs(11)).await;
    assert!(stream.read_exact(&mut heard).await.is_err());
}

#[tokio::test]
async fn a_black_hole_says_nothing_until_the_proxy_ends() {
    let fixture = start("rules: [{match: {facts: {host: shout.test}}, effect: hang}]").await;
    let net = fixture.client("", false, false);
    let asking = tokio::spawn(async move { net.connect("http", SHOUTER, 443).await.is_ok() });
    while fixture.kinds().is_empty() {
        fixture.journal.changed(0).await;
    }
    fixture.clock.advance(Duration::from_secs(3600)).await;
    assert!(!asking.is_finished());
    fixture.proxy.shutdown().await;
    assert!(!asking.await.unwrap());
}
