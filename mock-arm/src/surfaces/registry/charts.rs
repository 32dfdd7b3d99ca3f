//! The charts, packed as helm's OCI artefacts. Their sources are under `fixtures/charts`.

use std::io;

use flate2::Compression;
use serde_json::json;

use super::archive::{File, tar_gz};
use super::artefact::Content;

/// A chart of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Chart {
    /// The agents.
    Agents,
    /// The pre-onboarding checks.
    Diagnostics,
}

/// Media types of helm's artefacts.
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// Path below the chart's folder, and content.
type Source = (&'static str, &'static str);

macro_rules! sources {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../fixtures/charts/", $folder, "/", $path)))),*]
    };
}

const AGENTS: &[Source] = sources!("azure-arc-k8sagents":
    "Chart.yaml",
    "values.yaml",
    "templates/_agents.tpl",
    "templates/_helpers.tpl",
    "templates/cluster-connect.yaml",
    "templates/configmaps.yaml",
    "templates/custom-locations.yaml",
    "templates/custom-objects.yaml",
    "templates/deployments.yaml",
    "templates/namespace.yaml",
    "templates/rbac.yaml",
    "templates/secrets.yaml",
    "templates/services.yaml",
    "crds/arccertificates.clusterconfig.azure.com.yaml",
    "crds/azureclusteridentityrequests.clusterconfig.azure.com.yaml",
    "crds/azureextensionidentities.clusterconfig.azure.com.yaml",
    "crds/configsyncstatuses.clusterconfig.azure.com.yaml",
    "crds/connectedclusters.arc.azure.com.yaml",
    "crds/customlocationsettings.clusterconfig.azure.com.yaml",
    "crds/extensionconfigs.clusterconfig.azure.com.yaml",
    "crds/extensionevents.clusterconfig.azure.com.yaml",
    "crds/gitconfigs.clusterconfig.azure.com.yaml",
    "crds/healthstates.clusterconfig.azure.com.yaml",
    "crds/signingkeys.clusterconfig.azure.com.yaml",
);

const DIAGNOSTICS: &[Source] = sources!("clusterdiagnosticchecks":
    "Chart.yaml",
    "values.yaml",
    "templates/job.yaml",
    "templates/proxy.yaml",
    "templates/rbac.yaml",
);

impl Chart {
    /// Its name, which is its folder too.
    const fn name(self) -> &'static str {
        match self {
            Self::Agents => "azure-arc-k8sagents",
            Self::Diagnostics => "clusterdiagnosticchecks",
        }
    }

    const fn sources(self) -> &'static [Source] {
        match self {
            Self::Agents => AGENTS,
            Self::Diagnostics => DIAGNOSTICS,
        }
    }
}

/// `Chart.yaml` in another version: chart and agents have the same one.
fn in_version(text: &str, version: &str) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some((key @ ("version" | "appVersion"), _)) => format!("{key}: {version}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// The artefact of a chart in a version.
///
/// # Errors
/// None in practice: every path fits into an archive.
pub(super) fn pack(chart: Chart, version: &str) -> io::Result<Content> {
    let name = chart.name();
    let files: Vec<File<'_>> = chart
        .sources()
        .iter()
        .map(|(path, text)| File {
            path: format!("{name}/{path}"),
            bytes: match *path {
                "Chart.yaml" => in_version(text, version).into_bytes().into(),
                _ => text.as_bytes().into(),
            },
            executable: false,
        })
        .collect();
    let config = json!({
        "name": name,
        "version": version,
        "appVersion": version,
        "apiVersion": "v2",
        "type": "application",
    });
    Ok(Content {
        config: (CONFIG, config.to_string().into()),
        layer: (LAYER, tar_gz(&files, Compression::fast())?),
        title: None,
        annotations: vec![
            ("org.opencontainers.image.title", name.to_owned()),
            ("org.opencontainers.image.version", version.to_owned()),
        ],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn files(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in folder.read_dir().unwrap().flatten() {
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                files(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_a_charts_folder_is_packed() {
        for chart in [Chart::Agents, Chart::Diagnostics] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/charts").join(chart.name());
            let mut found = BTreeSet::new();
            files(&folder, "", &mut found);
            found.remove(".helmignore");
            let packed: BTreeSet<String> =
                chart.sources().iter().map(|(path, _)| (*path).to_owned()).collect();
            assert_eq!(found, packed);
        }
    }

    #[test]
    fn the_version_is_that_of_the_tag() {
        let text = in_version("name: x\nversion: 1.0.0\nappVersion: 1.0.0\nkubeVersion: \">=1\"\n", "2.3.4");
        assert_eq!(text, "name: x\nversion: 2.3.4\nappVersion: 2.3.4\nkubeVersion: \">=1\"\n");
    }
}
