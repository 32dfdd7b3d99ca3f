use super::*;

#[tokio::test]
async fn requests_that_are_none_or_ambiguous_get_400_and_nothing_behind_them_is_served() {
    let fixture = start("").await;
    let smuggled = format!("GET http://{ORIGIN}/smuggled HTTP/1.1\r\nhost: {ORIGIN}\r\n\r\n");
    for request in [
        "nonsense\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}".to_owned(),
        "CONNECT nowhere HTTP/1.1\r\n\r\n".to_owned(),
        "CONNECT a:0 HTTP/1.1\r\n\r\n".to_owned(),
        "CONNECT a:99999 HTTP/1.1\r\n\r\n".to_owned(),
        "CONNECT http://a/ HTTP/1.1\r\n\r\n".to_owned(),
        "CONNECT a:1 HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        "GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        format!(
            "POST http://{ORIGIN}/ HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
        ),
        format!("POST http://{ORIGIN}/ HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 7\r\n\r\n{smuggled}"),
        format!("POST http://{ORIGIN}/ HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n{smuggled}"),
    ] {
        let said = fixture.raw(&request).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{request:?}: {said}");
        assert!(!said.contains("/smuggled"), "{request:?}: {said}");
    }
    // A second request may come behind a first whose end is certain, and only then.
    let first = format!("GET http://{ORIGIN}/first HTTP/1.1\r\nhost: {ORIGIN}\r\n\r\n");
    let last = smuggled.replace("host:", "connection: close\r\nhost:");
    let said = fixture.say(&format!("{first}{last}"), false).await;
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 2, "{said}");
    let both = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let head = format!("POST http://{ORIGIN}/second HTTP/1.1\r\nconnection: close\r\nhost: {ORIGIN}");
    let said = fixture.say(&format!("{first}{head}\r\n{both}"), false).await;
    assert!(!said.to_lowercase().contains("content-length: 4"), "{said}");
}

#[tokio::test]
async fn it_does_not_proxy_to_itself_nor_in_circles() {
    let fixture = start("name: corp").await;
    let port = fixture.proxy.addr().port();
    for host in ["127.0.0.1", "localhost", "127.0.0.7", "[::1]"] {
        let said = fixture.raw(&format!("CONNECT {host}:{port} HTTP/1.1\r\n\r\n")).await;
        assert!(said.starts_with("HTTP/1.1 403 ") && said.contains("itself"), "{host}: {said}");
    }
    let said = fixture.raw(&format!("GET http://localhost:{port}/ HTTP/1.1\r\nhost: x\r\n\r\n")).await;
    assert!(said.starts_with("HTTP/1.1 403 "), "{said}");
    let seen = format!("GET http://{ORIGIN}/ HTTP/1.1\r\nhost: x\r\nvia: 1.0 other, 1.1 corp:{port}\r\n\r\n");
    assert!(fixture.raw(&seen).await.contains("circles"));
    let own = format!("upstream: 'http://127.0.0.1:{port}'\nlisten: 127.0.0.1:{port}");
    fixture.proxy.shutdown().await;
    let around = Surroundings {
        net: Net::builder().build().unwrap(),
        clock: fixture.clock.clone(),
        journal: fixture.journal.clone(),
        faults: fixture.faults.clone(),
        seed: Seed::new(1),
    };
    let error = ForwardProxy::start(config(&own), around).await.unwrap_err();
    assert!(matches!(error, ProxyError::Circle(_)), "{error}");
}

#[tokio::test]
async fn a_thousand_connections_that_never_speak_keep_nobody_else_waiting() {
    let fixture = start("").await;
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(TcpStream::connect(fixture.proxy.addr()).await.unwrap());
    }
    // Some say a little, and then nothing.
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(b"CONNECT a").await.unwrap();
    }
    let stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    assert_eq!(exchange(stream, "hi").await.unwrap(), "HI");
    assert_eq!(fixture.plain(&format!("http://{ORIGIN}/")).await.unwrap().0, 200);
    fixture.proxy.shutdown().await;
    let mut rest = Vec::new();
    for stream in &mut silent {
        let _ = stream.read_to_end(&mut rest).await;
    }
    assert!(rest.is_empty());
}

#[tokio::test]
async fn headers_without_end_are_refused_at_the_limit() {
    let fixture = start("").await;
    let mut stream = TcpStream::connect(fixture.proxy.addr()).await.unwrap();
    stream.write_all(b"GET http://a/ HTTP/1.1\r\n").await.unwrap();
    let line = format!("x: {}\r\n", "y".repeat(1000));
    let mut written = 0;
    while written < (1 << 20) && stream.write_all(line.as_bytes()).await.is_ok() {
        written += line.len();
    }
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431 "), "{said}");
    assert!(fixture.tunnel(SHOUTER, 443).await.is_ok());
}
