//! Header blocks of SPDY/3: names and values behind their lengths, in one zlib stream per direction.
//!
//! Reading inflates, with the dictionary as the window's first content. Writing does not compress: a zlib stream may hold
//! stored blocks only, and the few headers that a server sends are not worth more.

use flate2::{Decompress, FlushDecompress, Status};

use super::dictionary;

/// The largest header block that is read, inflated.
const LIMIT: usize = 64 * 1024;

/// A header block that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SPDY header block cannot be read")]
pub(super) struct BadHeaders;

/// Names in lower case, and values.
pub(crate) type Headers = Vec<(String, String)>;

/// Reads the header blocks of one direction.
#[derive(Debug)]
pub(super) struct Reader {
    inflate: Decompress,
    started: bool,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { inflate: Decompress::new(false), started: false }
    }

    /// The headers of the next block.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<Headers, BadHeaders> {
        let mut block = block;
        if !self.started {
            // Two bytes of zlib header; bit 5 of the second says that the dictionary's checksum follows.
            let flags = *block.get(1).ok_or(BadHeaders)?;
            let dictionary = flags & 0x20 != 0;
            block = block.get(if dictionary { 6 } else { 2 }..).ok_or(BadHeaders)?;
            if dictionary {
                // A stored block puts the dictionary into the window.
                let bytes = stored(&dictionary::bytes());
                self.inflate(&bytes)?;
            }
            self.started = true;
        }
        parse(&self.inflate(block)?)
    }

    fn inflate(&mut self, mut input: &[u8]) -> Result<Vec<u8>, BadHeaders> {
        let mut output = Vec::new();
        loop {
            output.reserve(4096);
            let (before_in, before_out) = (self.inflate.total_in(), output.len());
            let status = self.inflate.decompress_vec(input, &mut output, FlushDecompress::Sync);
            let status = status.map_err(|_| BadHeaders)?;
            let used = usize::try_from(self.inflate.total_in() - before_in).map_err(|_| BadHeaders)?;
            input = &input[used..];
            if output.len() > LIMIT {
                return Err(BadHeaders);
            }
            let stuck = used == 0 && output.len() == before_out;
            if stuck || status == Status::StreamEnd {
                return Ok(output);
            }
        }
    }
}

/// A stored block of deflate that is not the last (RFC 1951, section 3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut block = vec![0];
    block.extend(length.to_le_bytes());
    block.extend((!length).to_le_bytes());
    block.extend(&bytes[..usize::from(length)]);
    block
}

fn parse(block: &[u8]) -> Result<Headers, BadHeaders> {
    let mut rest = block;
    let number = |rest: &mut &[u8]| {
        let (bytes, tail) = rest.split_first_chunk::<4>().ok_or(BadHeaders)?;
        *rest = tail;
        usize::try_from(u32::from_be_bytes(*bytes)).map_err(|_| BadHeaders)
    };
    let count = number(&mut rest)?;
    let mut headers = Headers::new();
    for _ in 0..count {
        let mut text = || {
            let length = number(&mut rest)?;
            let (bytes, tail) = rest.split_at_checked(length).ok_or(BadHeaders)?;
            rest = tail;
            Ok(String::from_utf8_lossy(bytes).into_owned())
        };
        let (name, value) = (text()?, text()?);
        headers.push((name.to_lowercase(), value));
    }
    Ok(headers)
}

/// Writes the header blocks of one direction.
#[derive(Debug, Default)]
pub(super) struct Writer {
    started: bool,
}

impl Writer {
    /// The next block, with these headers.
    pub(super) fn write(&mut self, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut plain = u32::try_from(headers.len()).unwrap_or_default().to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend(u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
            plain.extend(text.bytes());
        }
        let mut block = if self.started { Vec::new() } else { vec![0x78, 0x01] };
        self.started = true;
        block.extend(stored(&plain));
        // An empty block makes the reader show what it has.
        block.extend(stored(&[]));
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_over_several_blocks() {
        let (mut writer, mut reader) = (Writer::default(), Reader::new());
        for value in ["data", "error"] {
            let block = writer.write(&[("streamtype", value), ("port", "80")]);
            let headers = reader.read(&block).unwrap();
            assert_eq!(headers[0], ("streamtype".to_owned(), value.to_owned()));
        }
        assert!(Reader::new().read(&[1]).is_err());
        assert!(Reader::new().read(&[0x78, 0x01, 0xff, 0xff, 0xff]).is_err());
    }

    /// As Go's `compress/zlib` writes it with the dictionary, which is how kubectl does it.
    #[test]
    fn blocks_of_real_clients_are_read() {
        let block = [
            0x78, 0xf9, 0xe3, 0xc6, 0xa7, 0xc2, 0x02, 0x25, 0x3a, 0x70, 0x3a, 0x2b, 0x29, 0x4a, 0x4d, 0xcc,
            0x85, 0x16, 0x25, 0xac, 0xa9, 0xa0, 0x80, 0x86, 0x14, 0xcb, 0x45, 0xe0, 0x1c, 0x60, 0x61, 0x60,
            0x61, 0xc0, 0xc0, 0xc0, 0xc0, 0x59, 0x04, 0x89, 0xc6, 0x4c, 0x50, 0xf2, 0x66, 0x34, 0x00, 0x00,
            0x00, 0x00, 0xff, 0xff,
        ];
        let headers = Reader::new().read(&block).unwrap();
        let named = |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        assert_eq!(
            (named("streamtype"), named("port"), named("requestid")),
            (Some("error"), Some("8080"), Some("0"))
        );
    }
}
