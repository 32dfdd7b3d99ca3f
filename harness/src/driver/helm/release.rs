//! A release as helm keeps it: one Secret a revision, whose content is JSON, compressed and encoded twice.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Chart, manifest};

/// No release is longer when it is unpacked.
const LARGEST: u64 = 64 << 20;

/// How a release stands, in helm's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Its objects are being made.
    PendingInstall,
    /// They are there.
    Deployed,
    /// They could not be made, or did not become ready.
    Failed,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::PendingInstall => "pending-install",
            Self::Deployed => "deployed",
            Self::Failed => "failed",
        }
    }
}

/// A revision of a release.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    record: Value,
}

impl Release {
    /// The first revision.
    pub(crate) fn first(
        [name, namespace]: [&str; 2],
        chart: &Chart,
        config: &Value,
        manifest: String,
        now: Timestamp,
    ) -> Self {
        let record = json!({
            "name": name,
            "info": {
                "first_deployed": now.to_string(),
                "last_deployed": now.to_string(),
                "deleted": "",
                "description": "Initial install underway",
                "status": Status::PendingInstall.word(),
            },
            "chart": chart.record(),
            "config": config,
            "manifest": manifest,
            "version": 1,
            "namespace": namespace,
        });
        Self { record }
    }

    /// The same revision in another state.
    #[must_use]
    pub(crate) fn with(mut self, status: Status) -> Self {
        self.record["info"]["status"] = status.word().into();
        self.record["info"]["description"] = match status {
            Status::PendingInstall => "Initial install underway",
            Status::Deployed => "Install complete",
            Status::Failed => "Release \"azure-arc\" failed",
        }
        .into();
        self
    }

    fn text(&self, key: &str) -> &str {
        self.record.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its namespace.
    pub(crate) fn namespace(&self) -> &str {
        self.text("namespace")
    }

    /// Its number.
    pub(crate) fn version(&self) -> u64 {
        self.record.get("version").and_then(Value::as_u64).unwrap_or_default()
    }

    /// The objects that it consists of. An error says why they cannot be read.
    pub(crate) fn objects(&self) -> Result<Vec<Value>, String> {
        manifest::objects(self.text("manifest"))
    }

    /// The Secret that keeps it.
    pub(crate) fn secret(&self, now: Timestamp) -> Result<Value, String> {
        let (name, version) = (self.text("name"), self.version());
        let status = self.record["info"]["status"].as_str().unwrap_or_default();
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": format!("sh.helm.release.v1.{name}.v{version}"),
                "namespace": self.namespace(),
                "labels": {
                    "name": name,
                    "owner": "helm",
                    "status": status,
                    "version": version.to_string(),
                    "modifiedAt": now.as_second().to_string(),
                },
            },
            "type": "helm.sh/release.v1",
            "data": { "release": STANDARD.encode(encode(&self.record).map_err(|error| error.to_string())?) },
        }))
    }

    /// The release that a Secret keeps; `None` for a Secret that keeps none.
    pub(crate) fn read(secret: &Value) -> Option<Self> {
        if secret.get("type")?.as_str()? != "helm.sh/release.v1" {
            return None;
        }
        let data = STANDARD.decode(secret.pointer("/data/release")?.as_str()?).ok()?;
        let packed = STANDARD.decode(data).ok()?;
        let mut text = Vec::new();
        GzDecoder::new(packed.as_slice()).take(LARGEST).read_to_end(&mut text).ok()?;
        Some(Self { record: serde_json::from_slice(&text).ok()? })
    }
}

/// JSON, compressed, in base64.
fn encode(record: &Value) -> std::io::Result<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(record.to_string().as_bytes())?;
    Ok(STANDARD.encode(encoder.finish()?))
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::archive;
    use super::*;

    #[test]
    fn a_release_is_kept_in_a_secret_and_read_back() {
        let chart = Chart::read(&archive(&[("c/Chart.yaml", "name: c\nversion: 1.0.0\n")])).unwrap();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let manifest = "---\nkind: A\n".to_owned();
        let release = Release::first(["azure-arc", "ns"], &chart, &json!({"a": 1}), manifest, now)
            .with(Status::Deployed);
        let secret = release.secret(now).unwrap();
        assert_eq!(secret["metadata"]["name"], "sh.helm.release.v1.azure-arc.v1");
        assert_eq!(secret["metadata"]["labels"]["status"], "deployed");
        let back = Release::read(&secret).unwrap();
        assert_eq!(back.record, release.record);
        assert_eq!((back.namespace(), back.version(), back.objects().unwrap().len()), ("ns", 1, 1));
        assert!(Release::read(&json!({"type": "Opaque"})).is_none());
        assert!(Release::read(&json!({"type": "helm.sh/release.v1", "data": {"release": "!"}})).is_none());
    }
}
