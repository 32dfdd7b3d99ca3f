//! The roots that clients trust: the system's and the world's own, in the forms that clients read.

use rustls_pki_types::CertificateDer;
use sim_core::keys::pem;

use super::{Material, jks};
use crate::state::{Facts, StateError, write_private};

pub(super) fn write(facts: &Facts, material: &Material<'_>) -> Result<(), StateError> {
    let system = system_roots();
    write_private(&facts.ca(), material.ca_pem.as_bytes())?;
    let mut bundle = String::from(material.ca_pem);
    for root in &system {
        bundle.push_str(&pem("CERTIFICATE", root));
    }
    write_private(&facts.bundle(), bundle.as_bytes())?;
    for (name, root) in material.proxies {
        write_private(&facts.proxy_ca(name), root.as_bytes())?;
        write_private(&facts.proxy_bundle(name), format!("{root}{bundle}").as_bytes())?;
    }
    let mut roots: Vec<&[u8]> = vec![material.ca_der];
    roots.extend(system.iter().map(AsRef::as_ref));
    write_private(&facts.java_trust(), &jks::trust_store(&roots, material.now_millis))
}

/// The roots of this machine, `SSL_CERT_FILE` and `SSL_CERT_DIR` included. A machine without any is fine: the world's
/// own root is all that simulated hosts need.
fn system_roots() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "a system root certificate could not be read");
    }
    found.certs
}
