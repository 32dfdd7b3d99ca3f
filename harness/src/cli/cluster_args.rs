//! The options of real clusters.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::{CliError, output};
use crate::client_env::OuterEnv;
use crate::clusters::{Backend, Progress, RealOptions, kubeconfig_of_context};

/// How a real cluster is made and reached. Means nothing to an embedded one.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "A real cluster")]
pub(super) struct ClusterArgs {
    /// Create the kind cluster with this node image
    #[arg(long, env = "DRYARC_KIND_IMAGE", value_name = "IMAGE")]
    kind_image: Option<String>,
    /// Create the kind cluster by this configuration file
    #[arg(long, env = "DRYARC_KIND_CONFIG", value_name = "FILE")]
    kind_config: Option<PathBuf>,
    /// Make the agents' images of the dryarc in this image [default: of this very program]
    #[arg(long, env = "DRYARC_AGENT_IMAGE", value_name = "IMAGE")]
    agent_image: Option<String>,
    /// The address by which the cluster's nodes reach this machine [default: that on the way to a node]
    #[arg(long, env = "DRYARC_ADVERTISE", value_name = "ADDRESS")]
    advertise: Option<IpAddr>,
    /// With context=NAME: the shell command that loads an image archive into the nodes; {} is its path
    #[arg(long, env = "DRYARC_LOAD_IMAGES", value_name = "COMMAND")]
    load_images: Option<String>,
    /// With context=NAME: do not ask before the cluster is changed
    #[arg(long, short)]
    yes: bool,
}

/// The options' ids, for telling which were given.
pub(super) const IDS: [&str; 6] =
    ["kind_image", "kind_config", "agent_image", "advertise", "load_images", "yes"];

impl ClusterArgs {
    /// What the options say.
    pub(super) fn options(&self) -> RealOptions {
        RealOptions {
            node_image: self.kind_image.clone(),
            kind_config: self.kind_config.clone(),
            agent_image: self.agent_image.clone(),
            advertise: self.advertise,
            load_images: self.load_images.clone(),
            progress: Progress::new(output::say),
        }
    }

    /// Asks before a cluster is changed that the user has for other purposes.
    ///
    /// # Errors
    /// When no kubeconfig has that cluster, the answer is not yes, or nobody can be asked.
    pub(super) fn confirm(&self, backend: &Backend, outer: &OuterEnv) -> Result<(), CliError> {
        let Backend::Context(name) = backend else { return Ok(()) };
        kubeconfig_of_context(outer, name)?;
        if self.yes {
            return Ok(());
        }
        let what = format!(
            "cluster '{name}' will be changed while the world is up:\n  \
             every pod that asks for Azure's hosts finds the simulated ones (ConfigMap kube-system/coredns, CoreDNS's pods are replaced);\n  \
             namespace dryarc-world is added; agents may be installed in namespace azure-arc.\n\
             All of it is undone when the world ends."
        );
        if !std::io::stdin().is_terminal() {
            let error = CliError::usage(format!("{what}\nNobody can be asked whether that is right"));
            return Err(error.next("say --yes if it is"));
        }
        output::say(&what);
        let mut errors = std::io::stderr().lock();
        // If it cannot be seen, it cannot be answered.
        let _ = write!(errors, "Type the context's name to go on: ");
        let _ = errors.flush();
        drop(errors);
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && answer.trim() == name {
            return Ok(());
        }
        Err(CliError::failed("nothing was changed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cluster_of_the_users_own_needs_a_yes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(
            &file,
            "contexts: [{name: prod, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {}}]\nusers: [{name: u, user: {}}]\n",
        )
        .unwrap();
        let outer = OuterEnv::new([("KUBECONFIG".to_owned(), file.display().to_string())]);
        let args = ClusterArgs { yes: true, ..ClusterArgs::default() };
        assert!(args.confirm(&Backend::Context("prod".into()), &outer).is_ok());
        let unknown = args.confirm(&Backend::Context("nope".into()), &outer).unwrap_err();
        assert!(unknown.to_string().contains("no context is named 'nope'"), "{unknown}");
        let args = ClusterArgs::default();
        assert!(args.confirm(&Backend::Kind(None), &outer).is_ok());
        assert!(args.confirm(&Backend::Embedded, &outer).is_ok());
    }
}
