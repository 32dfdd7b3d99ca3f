use super::*;

#[tokio::test]
async fn it_tunnels_and_forwards_by_http_and_by_https() {
    let fixture = start("{name: corp, https: {listen: '127.0.0.1:0', names: [proxy.corp]}}").await;
    let stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    assert_eq!(exchange(stream, "hi").await.unwrap(), "HI");
    for tls in [false, true] {
        let net = fixture.client("", tls, true);
        let (status, head) = fixture.get(&net, &format!("http://{ORIGIN}/a?b")).await.unwrap();
        assert_eq!(status, 200);
        assert!(head.starts_with("GET /a?b HTTP/1.1\r\n") && head.contains("via: 1.1 corp:"), "{head}");
        let (_, head) = fixture.get(&net, &format!("https://{SECURE}/c")).await.unwrap();
        assert!(head.starts_with("GET /c HTTP/1.1\r\n") && !head.contains("via"), "{head}");
    }
    let stranger = fixture.client("", true, false);
    assert!(fixture.get(&stranger, &format!("https://{SECURE}/")).await.is_err());
}

#[tokio::test]
async fn whoever_does_not_say_who_they_are_gets_407_on_a_connection_that_stays() {
    let yaml = "auth: {schemes: [negotiate, ntlm, basic], realm: corp, users: {arc: secret}}";
    let fixture = start(yaml).await;
    assert_eq!(fixture.tunnel(SHOUTER, 443).await.err(), Some(407));
    assert_eq!(fixture.plain(&format!("http://{ORIGIN}/")).await.unwrap().0, 407);
    let net = fixture.client("arc:secret@", false, false);
    let stream = net.connect("https", SECURE, 443).await;
    assert!(stream.is_ok());
    let (status, head) = fixture.get(&net, &format!("http://{ORIGIN}/")).await.unwrap();
    assert!(status == 200 && !head.to_lowercase().contains("proxy-authorization"), "{head}");
    let connect = format!("CONNECT {SHOUTER}:443 HTTP/1.1\r\n\r\n");
    let with =
        format!("CONNECT {SHOUTER}:443 HTTP/1.1\r\nProxy-Authorization: Basic YXJjOnNlY3JldA==\r\n\r\nhi");
    let said = fixture.raw(&format!("{connect}{with}")).await;
    let (first, rest) = said.split_once("\r\n\r\n").unwrap();
    assert!(first.starts_with("HTTP/1.1 407 "), "{said}");
    for offer in ["Negotiate", "NTLM", "Basic realm=\"corp\""] {
        assert!(first.contains(&format!("proxy-authenticate: {offer}")), "{first}");
    }
    assert!(rest.ends_with("HTTP/1.1 200 Connection established\r\n\r\nHI"), "{said}");
    let journal = format!("{:?}", fixture.journal.read(&Filter::default()));
    assert!(!journal.contains("secret") && !journal.contains("YXJj"), "{journal}");
}

#[tokio::test]
async fn access_lists_go_by_name_network_and_port_and_say_no_as_they_are_told() {
    let yaml = "allow: ['*.test', 10.0.0.0/8]\ndeny: ['*.plain.test', '*:22']\n\
                refusal: {status: 503, text: blocked by policy}";
    let fixture = start(yaml).await;
    assert!(fixture.tunnel(SHOUTER, 443).await.is_ok());
    assert_eq!(fixture.tunnel(SHOUTER, 22).await.err(), Some(503));
    assert_eq!(fixture.tunnel("example.org", 443).await.err(), Some(503));
    assert_eq!(fixture.tunnel("192.0.2.1", 443).await.err(), Some(503));
    let (status, text) = fixture.plain("http://x.plain.test/").await.unwrap();
    assert_eq!((status, text.as_str()), (503, "blocked by policy\n"));
    assert!(fixture.kinds().contains(&"denied".to_owned()));
    let mut open = config("deny: ['*']");
    open.refusal.status = 502;
    fixture.proxy.set_config(open).unwrap();
    assert_eq!(fixture.tunnel(SHOUTER, 443).await.err(), Some(502));
}

#[tokio::test]
async fn a_server_name_that_is_not_allowed_resets_the_tunnel() {
    let fixture = start("sni: {deny: [secure.test]}").await;
    let net = fixture.client("", false, false);
    let error = fixture.get(&net, &format!("https://{SECURE}/")).await.unwrap_err();
    assert!(error.to_string().contains("reset"), "{error}");
    // Whoever speaks no TLS names nobody.
    let stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    assert_eq!(exchange(stream, "hi").await.unwrap(), "HI");
    fixture.proxy.set_config(config("sni: {allow: [secure.test]}")).unwrap();
    assert_eq!(fixture.get(&net, &format!("https://{SECURE}/")).await.unwrap().0, 200);
    let stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    assert!(exchange(stream, "hi").await.is_err());
}

#[tokio::test]
async fn the_resolver_has_holes_and_tells_wrong_addresses() {
    let yaml = "dns:\n- {host: gone.test, answer: nxdomain}\n- {host: broken.test, answer: servfail}\n\
                - {host: silent.test, answer: silence}\n- {host: shout.test, answer: 127.0.0.1}";
    let fixture = start(yaml).await;
    let (status, text) = fixture.plain("http://gone.test/").await.unwrap();
    assert_eq!((status, text.contains("NXDOMAIN")), (503, true));
    assert_eq!(fixture.tunnel("broken.test", 443).await.err(), Some(503));
    // Nobody listens there.
    assert_eq!(fixture.tunnel(SHOUTER, 1).await.err(), Some(502));
    let net = fixture.client("", false, false);
    let asking = tokio::spawn(async move { net.connect("http", "silent.test", 443).await.err() });
    while !asking.is_finished() {
        fixture.clock.advance(Duration::from_secs(10)).await;
    }
    let said = asking.await.unwrap();
    assert!(matches!(&said, Some(NetError::Proxy { status: 504, .. })), "{said:?}");
    assert!(fixture.clock.now() >= jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(30));
}

#[tokio::test]
async fn another_proxy_lies_before_it_apart_from_what_it_may_skip() {
    let upstream = start("auth: {users: {a: b}}").await;
    let url = format!("http://a:b@{}", upstream.proxy.addr());
    let yaml = format!("upstream: '{url}'\nupstreamSkip: plain.test");
    let fixture = start(&yaml).await;
    let stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    assert_eq!(exchange(stream, "hi").await.unwrap(), "HI");
    assert_eq!(upstream.kinds(), ["tunnel"]);
    assert_eq!(fixture.plain(&format!("http://{ORIGIN}/")).await.unwrap().0, 200);
    assert_eq!(upstream.kinds(), ["tunnel"]);
    assert_eq!(fixture.plain("http://nowhere.test./").await.unwrap().0, 503);
}

#[test]
fn a_configuration_is_strict_and_says_what_makes_no_sense() {
    for (yaml, word) in [
        ("lisen: 1", "lisen"),
        ("auth: {schemes: [ntlm], users: {a: b}}", "auth.users"),
        ("auth: {schemes: []}", "auth.schemes"),
        ("auth: {realm: 'a\"b', users: {a: b}}", "auth.realm"),
        ("auth: {users: {'a:b': c}}", "auth.users"),
        ("refusal: {status: 407}", "refusal.status"),
        ("limits: {headerBytes: 10}", "limits.headerBytes"),
        ("name: a b", "name"),
        ("websockets: {cutAfter: soon}", "duration"),
        ("dns: [{host: a, answer: perhaps}]", "nxdomain"),
        ("allow: [10.0.0.0/40]", "10.0.0.0/40"),
        ("rules: [{hook: before, effect: reset}]", "hook"),
        ("rules: [{effect: resetAt}]", "bytes"),
        ("intercept: {certificate: broken}", "missingIntermediate"),
    ] {
        let said = match serde_saphyr::from_str::<ProxyConfig>(yaml) {
            Ok(config) => config.check().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(word), "{yaml}: {said}");
    }
    assert!(!format!("{:?}", config("auth: {users: {a: hidden}}")).contains("hidden"));
}
