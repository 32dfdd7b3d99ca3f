//! A chart, read from its archive.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

/// No file of a chart is longer, and no chart has more bytes (helm's own limits are of this size).
const LARGEST_FILE: u64 = 5 << 20;
const LARGEST_CHART: u64 = 100 << 20;

/// A chart. Paths are below the chart's folder.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    /// `Chart.yaml`.
    pub(crate) metadata: Value,
    /// `values.yaml`.
    pub(crate) values: Value,
    /// The rest, in the archive's order.
    files: Vec<(String, Vec<u8>)>,
}

impl Chart {
    /// Reads a gzip-compressed tar archive. An error says what is wrong with it.
    pub(crate) fn read(archive: &[u8]) -> Result<Self, String> {
        let mut chart = Self { metadata: Value::Null, values: json!({}), files: Vec::new() };
        let unpacked = GzDecoder::new(archive).take(LARGEST_CHART);
        let mut archive = tar::Archive::new(unpacked);
        let unreadable = |error: std::io::Error| format!("the chart's archive cannot be read: {error}");
        for entry in archive.entries().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path().map_err(unreadable)?.to_string_lossy().into_owned();
            let Some((_, path)) = path.split_once('/') else { continue };
            let path = path.to_owned();
            let mut content = Vec::new();
            entry.take(LARGEST_FILE).read_to_end(&mut content).map_err(unreadable)?;
            match path.as_str() {
                "Chart.yaml" => chart.metadata = yaml(&path, &content)?,
                "values.yaml" => chart.values = yaml(&path, &content)?,
                _ => chart.files.push((path, content)),
            }
        }
        if chart.metadata.is_object() { Ok(chart) } else { Err("the chart has no Chart.yaml".into()) }
    }

    /// The custom resource definitions of the folder `crds`, which are installed before everything else and belong to
    /// no release.
    pub(crate) fn definitions(&self) -> Result<Vec<Value>, String> {
        let files = self.files.iter().filter(|(path, _)| path.starts_with("crds/"));
        files.map(|(path, content)| yaml(path, content)).collect()
    }

    /// The chart as a release keeps it.
    pub(super) fn record(&self) -> Value {
        let of = |templates: bool| -> Vec<Value> {
            let files = self.files.iter().filter(|(path, _)| path.starts_with("templates/") == templates);
            files.map(|(path, content)| json!({ "name": path, "data": STANDARD.encode(content) })).collect()
        };
        json!({
            "metadata": self.metadata,
            "lock": null,
            "templates": of(true),
            "values": self.values,
            "schema": null,
            "files": of(false),
        })
    }
}

fn yaml(path: &str, content: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(content).map_err(|error| format!("{path}: {error}"))?;
    serde_saphyr::from_str(text).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An archive with these files.
    pub(in crate::driver::helm) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(encoder);
        for (path, text) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_chart_is_read_from_its_archive() {
        let chart = Chart::read(&archive(&[
            ("c/Chart.yaml", "name: c\nversion: 1.0.0\n"),
            ("c/values.yaml", "a: 1\n"),
            ("c/templates/x.yaml", "kind: X\n"),
            ("c/crds/y.yaml", "kind: CustomResourceDefinition\n"),
        ]))
        .unwrap();
        let record = chart.record();
        assert_eq!((&record["metadata"]["name"], &record["values"]["a"]), (&"c".into(), &1.into()));
        assert_eq!(record["templates"][0]["name"], "templates/x.yaml");
        assert_eq!(record["files"][0]["name"], "crds/y.yaml");
        assert_eq!(chart.definitions().unwrap()[0]["kind"], "CustomResourceDefinition");
        assert!(Chart::read(b"no archive").is_err());
        assert!(Chart::read(&archive(&[("c/values.yaml", "a: 1\n")])).unwrap_err().contains("Chart.yaml"));
    }
}
