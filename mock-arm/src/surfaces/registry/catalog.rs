//! Which repositories there are, and what their tags stand for.

use std::io;
use std::path::PathBuf;

use flate2::Compression;

use super::archive::{File, tar_gz};
use super::artefact::Content;
use super::charts::{self, Chart};
use crate::world::World;

/// The chart of the pre-onboarding checks, and the only version of it that the Azure CLI's extension asks for.
const DIAGNOSTICS: (&str, &str) = ("azurearck8s/helmchart/stable/clusterdiagnosticchecks", "1.36.1");

/// The helm client, and the version that the extension asks for. The archive holds the helm of this machine, whatever
/// its version is: the extension takes any.
const HELM: (&str, &str) = ("azurearck8s/helm", "helm-v3.20.1-linux-amd64");

/// The cluster connect proxy, and the version that the extension asks for.
const PROXY: (&str, &str) = ("azureconnectivity/proxy/linux/amd64/arc-proxy", "1.3.035022");

/// A repository with what its tags stand for.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) name: String,
    pub(super) artefacts: Vec<(String, Source)>,
}

/// What an artefact is packed from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A chart, in the version of its tag.
    Chart(Chart),
    /// A program of this machine as the helm client.
    Helm(PathBuf),
    /// A program of this machine as the cluster connect proxy.
    Proxy(PathBuf),
}

/// The repository of the agents' chart as the extension pulls it: with a component `v2` before its last one.
fn with_v2(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, name)) => format!("{folder}/v2/{name}"),
        None => format!("v2/{path}"),
    }
}

/// Every repository of a world.
pub(super) fn repositories(world: &World) -> Vec<Repository> {
    let release = &world.profile.release;
    let mut versions = vec![release.agent_version.clone()];
    versions.extend(release.versions.iter().filter(|version| **version != release.agent_version).cloned());
    let agents = || -> Vec<(String, Source)> {
        versions.iter().map(|version| (version.clone(), Source::Chart(Chart::Agents))).collect()
    };
    let one = |(name, tag): (&str, &str), source: Source| Repository {
        name: name.to_owned(),
        artefacts: vec![(tag.to_owned(), source)],
    };
    let mut all = vec![
        Repository { name: release.registry_path.clone(), artefacts: agents() },
        Repository { name: with_v2(&release.registry_path), artefacts: agents() },
        one(DIAGNOSTICS, Source::Chart(Chart::Diagnostics)),
    ];
    all.extend(release.helm_client.iter().map(|path| one(HELM, Source::Helm(path.clone()))));
    all.extend(release.connect_proxy.iter().map(|path| one(PROXY, Source::Proxy(path.clone()))));
    all
}

/// The repository of this name.
pub(super) fn find(world: &World, name: &str) -> Option<Repository> {
    repositories(world).into_iter().find(|repository| repository.name == name)
}

/// Media type of a layer that the extension saves as a file instead of unpacking it.
const FILE_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const EMPTY_CONFIG: &str = "application/vnd.oci.empty.v1+json";

impl Source {
    /// Packs the artefact of a tag.
    ///
    /// # Errors
    /// A program that cannot be read.
    pub(super) fn pack(&self, tag: &str) -> io::Result<Content> {
        match self {
            Self::Chart(chart) => charts::pack(*chart, tag),
            Self::Helm(path) => {
                archive(format!("{tag}.tar.gz"), &[("linux-amd64/helm", std::fs::read(path)?)])
            }
            Self::Proxy(path) => archive(
                "arcProxy.tar.gz".into(),
                &[
                    ("arcproxy/arcproxy_linux_amd64", std::fs::read(path)?),
                    ("arcproxy/LICENSE.txt", b"MIT OR Apache-2.0\n".to_vec()),
                    ("arcproxy/ThirdPartyNotice.txt", b"A program of dryarc.\n".to_vec()),
                ],
            ),
        }
    }
}

/// An artefact that clients save as one file: programs, stored without compression, because they are sent over loopback.
fn archive(title: String, files: &[(&str, Vec<u8>)]) -> io::Result<Content> {
    let files: Vec<File<'_>> = files
        .iter()
        .map(|(path, bytes)| File {
            path: (*path).to_owned(),
            bytes: bytes.as_slice().into(),
            executable: !path.contains('.'),
        })
        .collect();
    let layer = tar_gz(&files, Compression::none())?;
    Ok(Content {
        config: (EMPTY_CONFIG, "{}".into()),
        layer: (FILE_LAYER, layer),
        title: Some(title),
        annotations: Vec::new(),
    })
}
