//! Starting and stopping a cluster.
