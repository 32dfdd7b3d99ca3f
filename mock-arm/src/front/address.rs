//! How the caller addressed us.

use std::borrow::Cow;

use http::header::HOST;
use http::request::Parts;

/// The authority of a request: the host it names, with the port if it has one.
#[derive(Debug, Clone)]
pub(super) struct Address {
    authority: String,
}

impl Address {
    /// From the URI of HTTP/2 and proxies, or the `Host` header; empty when a client sends neither.
    pub(super) fn of(head: &Parts) -> Self {
        let named = head.uri.authority().map(http::uri::Authority::as_str);
        let header = || head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let mut authority = named.or_else(header).unwrap_or_default().to_owned();
        authority.make_ascii_lowercase();
        Self { authority }
    }

    /// The host without port.
    pub(super) fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// `https://host[:port]`.
    pub(super) fn base_url(&self) -> String {
        format!("https://{}", self.authority)
    }
}

/// `path` with repeated slashes made one.
pub(super) fn collapse(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut collapsed = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !collapsed.ends_with('/') {
            collapsed.push(c);
        }
    }
    Cow::Owned(collapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str, host: Option<&str>) -> Address {
        let mut request = http::Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        Address::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_host_has_no_port_and_the_base_url_has() {
        let address = of("/x", Some("127.0.0.1:8443"));
        assert_eq!((address.host(), address.base_url().as_str()), ("127.0.0.1", "https://127.0.0.1:8443"));
        assert_eq!(of("https://Management.Azure.com/x", None).host(), "management.azure.com");
        assert_eq!(of("/x", Some("[::1]:8443")).host(), "[::1]");
        assert_eq!(of("/x", Some("[::1]")).host(), "[::1]");
        assert_eq!(of("/x", None).host(), "");
    }

    #[test]
    fn repeated_slashes_are_one() {
        assert_eq!(collapse("//metadata///endpoints"), "/metadata/endpoints");
        assert!(matches!(collapse("/a/b"), Cow::Borrowed(_)));
    }
}
