use super::test_servers::{authority, origin, origin_with_clients, proxy, refusing_proxy};
use super::*;
use crate::pki::Subject;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const ARM: &str = "management.azure.com";

async fn get(net: &Net, url: &str) -> Result<String, NetError> {
    let response = net.http().send(Request::get(url).body(Bytes::new()).unwrap()).await?;
    Ok(String::from_utf8_lossy(response.body()).into_owned())
}

#[tokio::test]
async fn the_egress_gateway_is_asked_for_the_name_and_port() {
    let authority = authority();
    let target = origin(&authority, &[ARM]).await;
    let (gateway, seen) = proxy(target, None).await;
    let net = Net::builder().roots(authority.roots()).egress(Some(gateway)).build().unwrap();
    assert_eq!(
        get(&net, "https://management.azure.com/a?b=c").await.unwrap(),
        "GET /a?b=c management.azure.com"
    );
    assert_eq!(*seen.lock().unwrap(), ["CONNECT management.azure.com:443"]);
}

#[tokio::test]
async fn the_customers_proxy_is_reached_through_the_egress_and_gets_credentials() {
    let authority = authority();
    let target = origin(&authority, &[ARM]).await;
    let (customer, customer_saw) = proxy(target, None).await;
    let (gateway, gateway_saw) = proxy(customer, None).await;
    let rules = ProxyRules::new(Some("http://user:secret@proxy.corp:3128"), None, None);
    let net = Net::builder().roots(authority.roots()).egress(Some(gateway)).proxy(rules).build().unwrap();
    assert!(get(&net, "https://management.azure.com/").await.is_ok());
    assert_eq!(*gateway_saw.lock().unwrap(), ["CONNECT proxy.corp:3128"]);
    assert_eq!(*customer_saw.lock().unwrap(), ["CONNECT management.azure.com:443 Basic dXNlcjpzZWNyZXQ="]);
}

#[tokio::test]
async fn a_proxy_can_be_within_tls() {
    let authority = authority();
    let target = origin(&authority, &[ARM]).await;
    let (secure, seen) = proxy(target, Some((&authority, &["proxy.corp"]))).await;
    let rules = ProxyRules::new(Some("https://proxy.corp:8443"), None, None);
    let net =
        Net::builder().roots(authority.roots()).host("Proxy.Corp", secure).proxy(rules).build().unwrap();
    assert!(get(&net, "https://management.azure.com/").await.is_ok());
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn plain_requests_go_to_a_proxy_in_absolute_form_with_credentials() {
    let (plain, seen) = proxy("127.0.0.1:1".parse().unwrap(), None).await;
    let rules = ProxyRules::new(None, Some(&format!("http://u:p@{plain}")), None);
    let net = Net::builder().proxy(rules).build().unwrap();
    get(&net, "http://example.test/path").await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["GET http://example.test/path Basic dTpw"]);
}

#[tokio::test]
async fn loopback_is_never_proxied() {
    let authority = authority();
    let target = origin(&authority, &["127.0.0.1"]).await;
    let rules = ProxyRules::new(Some("http://127.0.0.1:1"), None, None);
    let egress = Some("127.0.0.1:1".parse().unwrap());
    let net = Net::builder().roots(authority.roots()).proxy(rules).egress(egress).build().unwrap();
    assert!(get(&net, &format!("https://{target}/")).await.is_ok());
}

#[tokio::test]
async fn a_refusing_proxy_is_named_with_its_status_and_words() {
    let refusing = refusing_proxy(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "log in first").await;
    let rules = ProxyRules::new(Some(&format!("http://user:secret@{refusing}")), None, None);
    let net = Net::builder().proxy(rules).build().unwrap();
    let error = get(&net, "https://management.azure.com/").await.unwrap_err();
    assert!(matches!(&error, NetError::Proxy { status: 407, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("proxy http://{refusing} answered 407 for management.azure.com:443: log in first")
    );
}

#[tokio::test]
async fn each_failing_step_has_its_own_error() {
    let authority = authority();
    let target = origin(&authority, &[ARM]).await;
    let stranger = Net::builder().host(ARM, target).build().unwrap();
    let error = get(&stranger, "https://management.azure.com/").await.unwrap_err();
    assert!(matches!(&error, NetError::Tls { host, .. } if host == ARM), "{error:?}");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let net = Net::builder().host(ARM, closed).build().unwrap();
    let error = get(&net, "https://management.azure.com/").await.unwrap_err();
    assert!(matches!(&error, NetError::Dial { .. }), "{error:?}");
    assert!(error.before_request());

    let rules = ProxyRules::new(Some(&closed.to_string()), None, None);
    let error = get(&Net::builder().proxy(rules).build().unwrap(), "https://management.azure.com/").await;
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot connect to proxy http://{closed} ")), "{error}");

    let rules = ProxyRules::new(Some("socks5://proxy.corp"), None, None);
    let net = Net::builder().proxy(rules).build().unwrap();
    let error = get(&net, "https://management.azure.com/").await.unwrap_err();
    assert!(matches!(&error, NetError::ProxyScheme { .. }), "{error:?}");
    assert!(matches!(get(&net, "/relative").await.unwrap_err(), NetError::Url { .. }));
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let authority = authority();
    let target = origin_with_clients(&authority, &["127.0.0.1"]).await;
    let user = authority.issue(&Subject::client("admin", Some("system:masters"))).unwrap();
    let builder = Net::builder().roots(authority.roots());
    let net = builder.clone().client_identity(&user.cert_pem, &user.key_pem).build().unwrap();
    assert!(get(&net, &format!("https://{target}/")).await.is_ok());
    assert!(matches!(builder.client_identity("x", "y").build(), Err(NetError::Config { .. })));
}

#[tokio::test]
async fn what_the_target_says_first_is_not_lost_in_the_tunnel() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0u8; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\nhello ").await.unwrap();
        stream.write_all(b"world").await.unwrap();
    });
    let net = Net::builder().egress(Some(gateway)).build().unwrap();
    let mut stream = net.connect("http", "greeter.test", 25).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "hello world");
}

#[test]
fn the_environment_is_read_and_what_is_unusable_is_named() {
    let error = Net::from_env(|name| (name == "DRYARC_EGRESS").then(|| "nowhere".into())).unwrap_err();
    assert!(error.to_string().contains("DRYARC_EGRESS"), "{error}");
    let error = Net::from_env(|name| (name == "DRYARC_CA_FILE").then(|| "/no/such.pem".into())).unwrap_err();
    assert!(error.to_string().contains("/no/such.pem"), "{error}");
    let net = Net::from_env(|name| {
        Some(match name {
            "DRYARC_EGRESS" => "127.0.0.1:9".into(),
            "HTTPS_PROXY" => "proxy.corp:3128".into(),
            "NO_PROXY" => ".svc,10.96.0.1:443".into(),
            "KUBERNETES_SERVICE_HOST" => "127.0.0.1".into(),
            "KUBERNETES_SERVICE_PORT" => "6443".into(),
            _ => return None,
        })
    })
    .unwrap();
    assert!(net.proxy_for("https", "kubernetes.default.svc", 443).is_none());
    assert!(net.proxy_for("https", "10.96.0.1", 443).is_none());
    assert!(net.proxy_for("https", ARM, 443).is_some());
}

#[tokio::test]
async fn an_api_server_under_its_service_address_is_reached_unless_a_proxy_comes_first() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let net = |skip: &'static str| {
        Net::from_env(move |name| {
            Some(match name {
                "HTTPS_PROXY" => "127.0.0.1:1".into(),
                "NO_PROXY" => skip.into(),
                "KUBERNETES_SERVICE_HOST" => "10.96.0.1".into(),
                "KUBERNETES_SERVICE_PORT" => "443".into(),
                "DRYARC_API_SERVER" => address.to_string(),
                _ => return None,
            })
        })
        .unwrap()
    };
    let skipped = net("10.96.0.0/16");
    assert!(skipped.proxy_for("https", "10.96.0.1", 443).is_none());
    let opened = tokio::join!(skipped.connect("tcp", "10.96.0.1", 443), listener.accept());
    assert!(opened.0.is_ok() && opened.1.is_ok());
    assert!(net(".svc").connect("https", "10.96.0.1", 443).await.is_err());
}
