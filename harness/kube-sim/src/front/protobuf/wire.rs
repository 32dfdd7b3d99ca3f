//! The protobuf wire format: tags, varints, lengths.

use super::{Malformed, Read};

/// The content of one field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Datum<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

impl<'a> Datum<'a> {
    pub(super) fn bytes(&self) -> Read<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed("a number stands where a text or a message belongs")),
        }
    }

    pub(super) fn text(&self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text is not UTF-8"))
    }

    pub(super) fn integer(&self) -> Read<i64> {
        match self {
            Self::Varint(number) | Self::Fixed(number) => Ok(number.cast_signed()),
            Self::Bytes(_) => Err(Malformed("a text stands where a number belongs")),
        }
    }

    pub(super) fn float(&self) -> Read<f64> {
        match self {
            Self::Varint(bits) | Self::Fixed(bits) => Ok(f64::from_bits(*bits)),
            Self::Bytes(_) => Err(Malformed("a text stands where a number belongs")),
        }
    }
}

/// Reads the fields of one message.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Read<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first().unwrap_or(&0);
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("a number is too long"))
    }

    fn fixed(&mut self, count: usize) -> Read<u64> {
        let bytes = self.take(count)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    /// The next field: its number and content.
    pub(super) fn next(&mut self) -> Read<Option<(u64, Datum<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let datum = match tag & 7 {
            0 => Datum::Varint(self.varint()?),
            1 => Datum::Fixed(self.fixed(8)?),
            2 => {
                let length =
                    usize::try_from(self.varint()?).map_err(|_| Malformed("a length is too great"))?;
                Datum::Bytes(self.take(length)?)
            }
            5 => Datum::Fixed(self.fixed(4)?),
            _ => return Err(Malformed("a field has an unknown wire type")),
        };
        Ok(Some((tag >> 3, datum)))
    }
}
