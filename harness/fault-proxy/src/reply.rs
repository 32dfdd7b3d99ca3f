//! The gateway's own answers: plain text that says what happened, where, and what to do next.

use http::StatusCode;

/// An answer of the gateway itself. The connection ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    pub(crate) retry_after: Option<u64>,
    /// What a 407 offers; a plain Basic challenge when empty.
    pub(crate) challenges: Vec<String>,
}

impl Reply {
    /// An answer with a text that ends in a line feed.
    pub(crate) fn new(status: StatusCode, text: String) -> Self {
        Self { status, text, retry_after: None, challenges: Vec::new() }
    }

    /// As [`Reply::new`], by number; 502 for what is none.
    pub(crate) fn numbered(status: u16, text: String) -> Self {
        Self::new(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), text)
    }

    /// Who asks has to say who they are.
    pub(crate) fn unauthenticated(challenges: Vec<String>) -> Self {
        let text = "This proxy wants to know who you are.\n\
                    Give name and password in the proxy's URL: http://NAME:PASSWORD@HOST:PORT.\n";
        Self { challenges, ..Self::new(StatusCode::PROXY_AUTHENTICATION_REQUIRED, text.into()) }
    }

    /// The host is neither simulated nor allowed.
    pub(crate) fn unrouted(host: &str, port: u16) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            format!(
                "{host}:{port} is neither simulated nor allowed.\n\
                 This proxy stands for the Internet of a simulated world; only the hosts that the world serves answer.\n\
                 To let this one through to the real network, allow it by name (--allow {host}).\n"
            ),
        )
    }

    /// The target, or the proxy before it, cannot be reached.
    pub(crate) fn unreachable(reason: &str) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, format!("{reason}\n"))
    }

    /// The request is none that a proxy can serve.
    pub(crate) fn bad_request(reason: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!(
                "{reason}\nThis is an HTTP proxy: send CONNECT HOST:PORT, or a request with an absolute URL.\n"
            ),
        )
    }

    /// The request is one that this proxy does not model.
    pub(crate) fn not_modelled(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            format!("{what} is not modelled by this proxy; use CONNECT.\n"),
        )
    }

    /// The body is larger than this proxy keeps.
    pub(crate) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body of a plain HTTP request is too large for this proxy; use CONNECT.\n".into(),
        )
    }

    /// A fault rule refuses the connection.
    pub(crate) fn refused_by_rule(host: &str, port: u16) -> Self {
        Self::unreachable(&format!("cannot connect to {host}:{port}: connection refused"))
    }

    /// A fault rule answers in the proxy's place.
    pub(crate) fn by_rule(status: u16, code: &str, message: &str, retry_after: Option<u64>) -> Self {
        Self { retry_after, ..Self::numbered(status, format!("{code}: {message}\n")) }
    }

    /// A fault rule names an effect that the wire does not know.
    pub(crate) fn no_such_effect() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "A fault rule on the hook 'wire' names an effect that has no meaning there; \
             use delay, respond, reset, hang, refuse, or what happens to the bytes of a connection.\n"
                .into(),
        )
    }

    /// The reply as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_as("HTTP/1.1", false)
    }

    /// As [`Reply::bytes`], in a version of HTTP; `keeps` leaves the connection open.
    pub(crate) fn bytes_as(&self, version: &str, keeps: bool) -> Vec<u8> {
        let reason = self.status.canonical_reason().unwrap_or("Refused");
        let mut head = format!("{version} {} {reason}\r\n", self.status.as_u16());
        for (name, value) in self.headers().into_iter().filter(|(name, _)| !keeps || *name != "connection") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{}", self.text.len(), self.text));
        head.into_bytes()
    }

    /// The headers apart from the length.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("content-type", "text/plain; charset=utf-8".to_owned()),
            ("connection", "close".to_owned()),
        ];
        if self.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let plain = [String::from("Basic realm=\"proxy\"")];
            let offered = if self.challenges.is_empty() { &plain[..] } else { &self.challenges };
            headers.extend(offered.iter().map(|offer| ("proxy-authenticate", offer.clone())));
        }
        headers.extend(self.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        headers
    }
}
