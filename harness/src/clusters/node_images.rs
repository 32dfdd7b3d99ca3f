//! Images in the nodes of a kind cluster, by the containerd that runs there.

use std::collections::BTreeSet;

use super::ClusterError;
use super::kind_cli::KindCli;

const CTR: [&str; 4] = ["ctr", "--namespace", "k8s.io", "images"];

/// One name of an image in a node, and what it leads to.
#[derive(Debug, PartialEq, Eq)]
struct Reference {
    name: String,
    digest: String,
}

/// The table that `ctr images ls` prints: REF, TYPE, DIGEST and more.
fn parse(table: &str) -> Vec<Reference> {
    let row = |line: &str| {
        let mut cells = line.split_whitespace();
        let (name, digest) = (cells.next()?, cells.nth(1)?);
        digest.starts_with("sha256:").then(|| Reference { name: name.into(), digest: digest.into() })
    };
    table.lines().filter_map(row).collect()
}

async fn list(kind: &KindCli, node: &str) -> Result<Vec<Reference>, ClusterError> {
    let arguments: Vec<&str> = CTR.into_iter().chain(["ls"]).collect();
    Ok(parse(&kind.in_node(node, &arguments).await?))
}

/// Those of `names` that some node lacks.
///
/// # Errors
/// What Docker says.
pub(super) async fn missing(kind: &KindCli, names: &[String]) -> Result<Vec<String>, ClusterError> {
    let mut missing = BTreeSet::new();
    for node in kind.nodes().await? {
        let there = list(kind, &node).await?;
        missing.extend(names.iter().filter(|name| !there.iter().any(|one| one.name == **name)).cloned());
    }
    Ok(missing.into_iter().collect())
}

/// Removes these images from every node, under every name that they got there.
///
/// # Errors
/// What Docker says.
pub(super) async fn remove(kind: &KindCli, names: &[String]) -> Result<(), ClusterError> {
    for node in kind.nodes().await? {
        let ours = under_any_name(&list(kind, &node).await?, names);
        if ours.is_empty() {
            continue;
        }
        let arguments: Vec<&str> =
            CTR.into_iter().chain(["rm", "--sync"]).chain(ours.iter().map(String::as_str)).collect();
        kind.in_node(&node, &arguments).await?;
    }
    Ok(())
}

/// Loading gives an image more names than the one it was asked for: by digest, by import, by id.
fn under_any_name(there: &[Reference], names: &[String]) -> Vec<String> {
    let digests: BTreeSet<&str> =
        there.iter().filter(|one| names.contains(&one.name)).map(|one| one.digest.as_str()).collect();
    there.iter().filter(|one| digests.contains(one.digest.as_str())).map(|one| one.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_goes_under_every_name_that_it_has() {
        let table = "\
REF TYPE DIGEST SIZE PLATFORMS LABELS
mcr.microsoft.com/azurearck8s/config-agent:1 application/x sha256:aa 9.0 MiB linux/amd64 -
import-2026-01-01@sha256:aa application/x sha256:aa 9.0 MiB linux/amd64 -
sha256:0001 application/x sha256:aa 9.0 MiB linux/amd64 -
registry.k8s.io/pause:3.10 application/x sha256:bb 1.0 MiB linux/amd64 -
";
        let there = parse(table);
        assert_eq!(there.len(), 4);
        let ours = under_any_name(&there, &["mcr.microsoft.com/azurearck8s/config-agent:1".into()]);
        assert_eq!(ours.len(), 3);
        assert!(under_any_name(&there, &["absent:1".into()]).is_empty());
    }
}
