//! What a cluster has to say when something did not come true: logs, events and objects in a folder.

use std::path::Path;

use crate::driver::Cluster;
use crate::state::{create_private_dir, write_private};

const NAMESPACES: [&str; 4] = ["azure-arc", "azure-arc-release", "dryarc-world", "kube-system"];

/// Writes pods, events, deployments, nodes and the logs of every container (also of its earlier run) to files in `folder`; what
/// cannot be read is left out. Secrets are not read. Returns how many files there are.
pub async fn collect(cluster: &Cluster, folder: &Path) -> usize {
    let mut files = 0;
    if create_private_dir(folder).is_err() {
        return files;
    }
    files += save(cluster, folder, "nodes", "/api/v1/nodes").await;
    files += save(cluster, folder, "coredns", "/api/v1/namespaces/kube-system/configmaps/coredns").await;
    for namespace in NAMESPACES {
        let base = format!("/api/v1/namespaces/{namespace}");
        files += save(cluster, folder, &format!("{namespace}.events"), &format!("{base}/events")).await;
        let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
        files += save(cluster, folder, &format!("{namespace}.deployments"), &deployments).await;
        files += save(cluster, folder, &format!("{namespace}.pods"), &format!("{base}/pods")).await;
        if namespace != "kube-system" {
            files += logs(cluster, folder, &base).await;
        }
    }
    files
}

async fn save(cluster: &Cluster, folder: &Path, name: &str, path: &str) -> usize {
    match cluster.get(path).await {
        Ok(value) => write(folder, &format!("{name}.json"), &format!("{value:#}\n")),
        Err(error) => {
            tracing::debug!(path, %error, "not collected");
            0
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) -> usize {
    usize::from(write_private(&folder.join(name), text.as_bytes()).is_ok())
}

async fn logs(cluster: &Cluster, folder: &Path, base: &str) -> usize {
    let pods = cluster.get(&format!("{base}/pods")).await.unwrap_or_default();
    let mut files = 0;
    for pod in pods["items"].as_array().into_iter().flatten() {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
            let container = container["name"].as_str().unwrap_or_default();
            for (previous, ending) in [(false, "log"), (true, "previous.log")] {
                let path = format!("{base}/pods/{name}/log?container={container}&previous={previous}");
                match cluster.text(&path).await {
                    Ok(text) if !text.is_empty() => {
                        files += write(folder, &format!("{name}.{container}.{ending}"), &text);
                    }
                    _ => {}
                }
            }
        }
    }
    files
}
