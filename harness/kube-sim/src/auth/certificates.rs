//! Callers that show a client certificate.

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::api::Caller;

/// The user that a verified certificate speaks for: common name and organisations, as the real server reads them.
#[must_use]
pub fn caller_of_certificate(certificate: &CertificateDer<'_>) -> Option<Caller> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let subject = certificate.subject();
    let user = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let mut groups: Vec<String> =
        subject.iter_organization().filter_map(|name| name.as_str().ok().map(ToOwned::to_owned)).collect();
    groups.push("system:authenticated".into());
    Some(Caller { user, groups, ..Caller::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::pem::PemObject as _;
    use sim_core::pki::{Authority, Constraints, Subject};

    #[test]
    fn a_certificate_names_user_and_group() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let authority = Authority::new("test", &Constraints::default(), now).unwrap();
        let leaf = authority.issue(&Subject::client("jane", Some("dev"))).unwrap();
        let der = CertificateDer::from_pem_slice(leaf.cert_pem.as_bytes()).unwrap();
        let caller = caller_of_certificate(&der).unwrap();
        assert_eq!(
            (caller.user.as_str(), caller.groups.join(",")),
            ("jane", "dev,system:authenticated".into())
        );
        assert!(caller_of_certificate(&CertificateDer::from(vec![1, 2, 3])).is_none());
    }
}
