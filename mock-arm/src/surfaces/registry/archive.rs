//! Archives whose bytes depend on their content only: order, owner, mode and time of the entries are fixed.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::{Compression, GzBuilder};

/// A file of an archive.
#[derive(Debug, Clone)]
pub(super) struct File<'a> {
    /// Path inside of the archive, with slashes.
    pub(super) path: String,
    /// Content.
    pub(super) bytes: std::borrow::Cow<'a, [u8]>,
    /// Whether it is a program.
    pub(super) executable: bool,
}

/// A gzip-compressed tar archive of `files`, in the given order.
///
/// # Errors
/// A path that tar cannot hold.
pub(super) fn tar_gz(files: &[File<'_>], compression: Compression) -> io::Result<Bytes> {
    let encoder = GzBuilder::new().mtime(0).write(Vec::new(), compression);
    let mut archive = tar::Builder::new(encoder);
    archive.mode(tar::HeaderMode::Deterministic);
    for file in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(file.bytes.len() as u64);
        header.set_mode(if file.executable { 0o755 } else { 0o644 });
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        archive.append_data(&mut header, &file.path, file.bytes.as_ref())?;
    }
    let mut encoder = archive.into_inner()?;
    encoder.flush()?;
    Ok(encoder.finish()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn equal_content_makes_equal_bytes_that_tar_reads() {
        let file =
            |path: &str| File { path: path.into(), bytes: b"text".as_slice().into(), executable: false };
        let files = [file("chart/Chart.yaml"), file("chart/templates/a.yaml")];
        let first = tar_gz(&files, Compression::default()).unwrap();
        assert_eq!(first, tar_gz(&files, Compression::default()).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(first.as_ref()));
        let read: Vec<(String, String)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                (path, text)
            })
            .collect();
        assert_eq!(read[1], ("chart/templates/a.yaml".into(), "text".into()));
    }
}
