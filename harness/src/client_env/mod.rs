//! What a client program needs in order to live in a world: environment variables, and the files they point to.
//!
//! [`prepare`] writes the files once, when the world starts; [`ClientEnv::build`] makes the variables for one caller,
//! because some depend on the caller's own environment. The programs themselves are not changed: they follow proxy
//! variables, CA bundles and login files as they always do. Programs that heed none of those are out of reach.

mod az_login;
mod export;
mod extensions;
mod format;
mod jks;
mod outer;
mod reach;
mod trust;
mod variables;

pub use export::Export;
pub use extensions::{
    Brought, CONNECTEDK8S, ExtensionSource, bring as bring_extensions, index as extension_index,
    source as extension_source, version_of as extension_version,
};
pub use format::{Format, render, render_unset};
pub use jks::trust_store;
pub use outer::OuterEnv;
pub use reach::{BadPlace, Elsewhere, Place, Reach};
pub use variables::{ClientEnv, TRUSTED_BUNDLE, Variable};

use crate::state::{Facts, StateError, create_private_dir, write_private};

/// What the files are made of, besides [`Facts`].
#[derive(Debug)]
pub struct Material<'a> {
    /// The world's certificate authority, PEM.
    pub ca_pem: &'a str,
    /// The same, DER.
    pub ca_der: &'a [u8],
    /// The kubeconfig of the cluster.
    pub kubeconfig: &'a str,
    /// The customer's proxies by name, with their root certificates, PEM.
    pub proxies: &'a [(String, String)],
    /// Every subscription the principal sees, as (id, name); the default one comes first.
    pub subscriptions: &'a [(String, String)],
    /// An id for the Azure CLI's installation, so that it does not make one.
    pub installation_id: &'a str,
    /// The wall time, in milliseconds since 1970, for stores that note when a certificate came in.
    pub now_millis: u64,
}

/// Writes the files that the variables point to: private home with the Azure CLI's login, trust stores, kubeconfig,
/// and a copy of the user's Azure CLI extensions. Blocks; call it off the async threads.
///
/// # Errors
/// [`StateError::Io`] when a file cannot be written. Extensions that cannot be read are skipped with a warning.
pub fn prepare(facts: &Facts, material: &Material<'_>, outer: &OuterEnv) -> Result<(), StateError> {
    create_private_dir(&facts.home())?;
    create_private_dir(&facts.azure_config())?;
    az_login::write(facts, material)?;
    trust::write(facts, material)?;
    write_private(&facts.kubeconfig(), material.kubeconfig.as_bytes())?;
    for brought in extensions::bring(outer, facts)? {
        if let Brought::Failed { name, reason } = brought {
            tracing::warn!(extension = %name, error = %reason, "an Azure CLI extension could not be copied");
        }
    }
    Ok(())
}
