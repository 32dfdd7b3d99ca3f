//! Lists as bodies, written piece by piece: what a slow reader has not taken yet is not there as text.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::vec::IntoIter;

use axum::body::Body;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderValue, StatusCode};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Value, json};

use super::render;
use crate::api::{Api, Rows};
use crate::registry::Kind;

/// A list that is shorter than this is written whole; it is also the size of the pieces of a longer one, in bytes.
const PIECE: usize = 128 * 1024;

/// An object without the fields that a list says of them all.
struct Item<'a>(&'a Value);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(map) = self.0.as_object() else { return self.0.serialize(serializer) };
        let mut out = serializer.serialize_map(None)?;
        for (field, value) in map.iter().filter(|(field, _)| *field != "kind" && *field != "apiVersion") {
            out.serialize_entry(field, value)?;
        }
        out.end()
    }
}

/// What of a list is still to be written.
struct Writing {
    kind: Arc<Kind>,
    rows: IntoIter<Arc<Value>>,
    first: bool,
    ended: bool,
}

impl Writing {
    /// Adds pieces to `text` until it is long enough or the list ends.
    fn fill(&mut self, text: &mut Vec<u8>) {
        while text.len() < PIECE && !self.ended {
            let Some(row) = self.rows.next() else {
                text.extend_from_slice(b"]}");
                self.ended = true;
                return;
            };
            if !std::mem::take(&mut self.first) {
                text.push(b',');
            }
            // A value has text keys only, so it can always be written.
            let _ = if self.kind.builtin {
                Api::with_shown(&self.kind, &row, |object| serde_json::to_writer(&mut *text, &Item(object)))
            } else {
                Api::with_shown(&self.kind, &row, |object| serde_json::to_writer(&mut *text, object))
            };
        }
    }
}

/// The answer with a list in JSON.
pub(super) fn json(kind: &Arc<Kind>, rows: Rows, gzip: bool) -> Response {
    let mut meta = json!({"resourceVersion": rows.revision.to_string()});
    if let Some(resume) = rows.resume {
        meta["continue"] = json!(resume);
    }
    if let Some(remaining) = rows.remaining {
        meta["remainingItemCount"] = json!(remaining);
    }
    let (name, version) = (json!(kind.list_kind), json!(kind.api_version()));
    let mut text =
        format!("{{\"kind\":{name},\"apiVersion\":{version},\"metadata\":{meta},\"items\":[").into_bytes();
    let mut writing = Writing { kind: kind.clone(), rows: rows.items.into_iter(), first: true, ended: false };
    writing.fill(&mut text);
    if writing.ended {
        return render::bytes(StatusCode::OK, "application/json", text, gzip);
    }
    streamed(writing, text, gzip)
}

fn streamed(writing: Writing, text: Vec<u8>, gzip: bool) -> Response {
    let packer = gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
    let pieces =
        stream::unfold((writing, text, packer, false), |(mut writing, mut text, packer, over)| async move {
            if over {
                return None;
            }
            if text.is_empty() {
                writing.fill(&mut text);
            }
            let over = writing.ended;
            let (piece, packer) = packed(text, packer, over);
            Some((Ok::<_, Infallible>(piece), (writing, Vec::new(), packer, over)))
        });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    response
}

type Packer = Option<GzEncoder<Vec<u8>>>;

/// A piece as it is sent, and what packs the next one.
fn packed(text: Vec<u8>, packer: Packer, last: bool) -> (bytes::Bytes, Packer) {
    let Some(mut packer) = packer else { return (text.into(), None) };
    // Writing to memory does not fail.
    let _ = packer.write_all(&text);
    if last {
        return (packer.finish().unwrap_or_default().into(), None);
    }
    let _ = packer.flush();
    let piece = std::mem::take(packer.get_mut());
    (piece.into(), Some(packer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use http_body_util::BodyExt as _;
    use std::io::Read as _;

    fn rows(count: usize) -> Rows {
        let text = "x".repeat(1000);
        let row = |index: usize| {
            Arc::new(
                json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": format!("m{index}")},
                "data": {"k": text}}),
            )
        };
        Rows { items: (0..count).map(row).collect(), revision: 9, resume: None, remaining: None }
    }

    #[tokio::test]
    async fn a_long_list_comes_in_pieces_and_is_the_same_packed_and_plain() {
        let kind = Registry::builtin().by_kind("", "ConfigMap").unwrap();
        let mut plain = json(&kind, rows(1000), false).into_body();
        let first = plain.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(first.len() < 2 * PIECE, "{}", first.len());
        let mut whole = first.to_vec();
        whole.extend(plain.collect().await.unwrap().to_bytes());
        let list: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), 1000);
        assert_eq!(list["items"][999]["metadata"]["name"], "m999");
        assert!(list["items"][0].get("kind").is_none());
        let packed = json(&kind, rows(1000), true).into_body().collect().await.unwrap().to_bytes();
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, whole);
        let short = json(&kind, rows(0), false).into_body().collect().await.unwrap().to_bytes();
        assert!(short.ends_with(b"\"items\":[]}"));
    }
}
