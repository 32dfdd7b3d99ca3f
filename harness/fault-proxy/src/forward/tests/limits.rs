use super::*;

#[tokio::test]
async fn one_connection_more_than_it_takes_gets_503() {
    let fixture = start("limits: {connections: 2}").await;
    let held = [fixture.tunnel(SHOUTER, 443).await.unwrap(), fixture.tunnel(SHOUTER, 443).await.unwrap()];
    assert!(matches!(fixture.tunnel(SHOUTER, 443).await.err(), Some(503 | 0)));
    let [first, second] = held;
    assert_eq!(exchange(first, "hi").await.unwrap(), "HI");
    assert_eq!(exchange(second, "hi").await.unwrap(), "HI");
    // The proxy learns of the ends a moment after their clients.
    while fixture.tunnel(SHOUTER, 443).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn idle_connections_end_by_the_worlds_clock() {
    let fixture = start("limits: {idle: 5m}").await;
    let mut stream = fixture.tunnel(SHOUTER, 443).await.unwrap();
    let mut heard = [0u8; 2];
    for _ in 0..3 {
        fixture.clock.advance(Duration::from_secs(240)).await;
        stream.write_all(b"hi").await.unwrap();
        stream.read_exact(&mut heard).await.unwrap();
    }
    fixture.clock.advance(Duration::from_secs(601)).await;
    assert_eq!(stream.read(&mut heard).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_head_that_is_too_large_gets_431() {
    let fixture = start("limits: {headerBytes: 300}").await;
    assert!(fixture.tunnel(SHOUTER, 443).await.is_ok());
    let long = format!("CONNECT {SHOUTER}:443 HTTP/1.1\r\ncookie: {}\r\n\r\n", "x".repeat(300));
    assert!(fixture.raw(&long).await.starts_with("HTTP/1.1 431 "));
    assert!(fixture.raw(&format!("GET /{}", "x".repeat(9000))).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_proxy_of_http_1_0_has_one_request_a_connection_and_no_chunks() {
    let fixture = start("limits: {http10: true}").await;
    let connect = format!("CONNECT {SHOUTER}:443 HTTP/1.1\r\n\r\nhi");
    assert_eq!(fixture.raw(&connect).await, "HTTP/1.0 200 Connection established\r\n\r\nHI");
    let get = format!("GET http://{ORIGIN}/ HTTP/1.1\r\nhost: {ORIGIN}\r\n\r\n");
    let said = fixture.raw(&format!("{get}{get}")).await;
    assert!(said.starts_with("HTTP/1.0 200 ") && said.contains("GET / HTTP/1.0\r\n"), "{said}");
    assert_eq!(said.matches(" 200 OK").count(), 1, "{said}");
    let chunked = format!(
        "POST http://{ORIGIN}/ HTTP/1.1\r\nhost: {ORIGIN}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    assert!(fixture.raw(&chunked).await.starts_with("HTTP/1.0 411 "));
}
