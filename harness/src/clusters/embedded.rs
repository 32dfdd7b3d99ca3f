//! The embedded cluster, which lives and ends with this process.

use futures::future::BoxFuture;

use super::{Cluster, ClusterError};

impl Cluster for kube_sim::cluster::Cluster {
    fn backend(&self) -> String {
        "embedded".into()
    }

    fn url(&self) -> String {
        Self::url(self)
    }

    fn kubeconfig(&self) -> String {
        Self::kubeconfig(self)
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, Result<(), ClusterError>> {
        Box::pin(async move {
            Self::shutdown(*self).await;
            Ok(())
        })
    }
}
