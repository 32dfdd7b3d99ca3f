//! Who may use a proxy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Auth, Scheme};
use crate::reply::Reply;

impl Auth {
    /// Refuses whoever does not say who they are, or says it in a way that is never accepted.
    ///
    /// # Errors
    /// The 407 to answer with.
    pub(super) fn admit(&self, authorization: Option<&str>) -> Result<(), Reply> {
        let known = authorization.is_some_and(|given| self.accepts(given));
        if known { Ok(()) } else { Err(Reply::unauthenticated(self.challenges())) }
    }

    fn challenges(&self) -> Vec<String> {
        let challenge = |scheme: &Scheme| match scheme {
            Scheme::Basic => format!("Basic realm=\"{}\"", self.realm),
            Scheme::Ntlm => "NTLM".into(),
            Scheme::Negotiate => "Negotiate".into(),
        };
        self.schemes.iter().map(challenge).collect()
    }

    fn accepts(&self, given: &str) -> bool {
        let Some((scheme, value)) = given.trim().split_once(' ') else { return false };
        if !scheme.eq_ignore_ascii_case("basic") || !self.schemes.contains(&Scheme::Basic) {
            return false;
        }
        let plain = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((name, password)) = plain.as_deref().and_then(|plain| plain.split_once(':')) else {
            return false;
        };
        self.users.get(name).is_some_and(|known| known.0 == password)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Password;
    use super::*;

    #[test]
    fn basic_is_accepted_and_windows_own_schemes_are_offered_only() {
        let users = [("arc".to_owned(), Password("p:w".into()))].into();
        let schemes = vec![Scheme::Negotiate, Scheme::Ntlm, Scheme::Basic];
        let auth = Auth { schemes, realm: "corp".into(), users };
        let of = |plain: &str| format!("basic {}", STANDARD.encode(plain));
        assert!(auth.admit(Some(&of("arc:p:w"))).is_ok());
        for wrong in
            [None, Some(of("arc:x")), Some(of("nobody:p:w")), Some(of("arc")), Some("Basic ***".into())]
        {
            let reply = auth.admit(wrong.as_deref()).unwrap_err();
            assert_eq!(reply.challenges, ["Negotiate", "NTLM", "Basic realm=\"corp\""]);
        }
        assert!(auth.admit(Some("NTLM TlRMTVNTUAABAAAA")).is_err());
        let only_ntlm = Auth { schemes: vec![Scheme::Ntlm], ..auth };
        assert!(only_ntlm.admit(Some(&of("arc:p:w"))).is_err());
        assert!(!format!("{only_ntlm:?}").contains("p:w"));
    }
}
