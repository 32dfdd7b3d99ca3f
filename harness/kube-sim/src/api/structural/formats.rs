//! Formats of texts that a schema may ask for. Source: kube-openapi's `strfmt`; formats that are not listed always hold, as
//! on a real server for those that it does not know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::validate::dns_subdomain_problems;

/// Whether a text has the format of this name.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => text.parse::<Timestamp>().is_ok(),
        "date" => text.len() == 10 && text.parse::<Date>().is_ok(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "byte" => STANDARD.decode(text).is_ok(),
        "hostname" => dns_subdomain_problems(&text.to_lowercase()).is_empty(),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(text),
        "uri" => {
            text.split_once(':').is_some_and(|(scheme, rest)| {
                !rest.is_empty() && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            }) || text.starts_with('/')
        }
        "email" => text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()),
        "duration" => is_duration(text),
        _ => true,
    }
}

/// An address with the length of its network.
pub(super) fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    match (address.parse::<IpAddr>(), length.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(length)) => length <= 32,
        (Ok(IpAddr::V6(_)), Ok(length)) => length <= 128,
        _ => false,
    }
}

fn is_uuid(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = text.bytes().filter(|byte| *byte == b'-').count();
    digits == 32 && text.len() == digits + dashes && (dashes == 0 || dashes == 4)
}

/// `1h30m`, `5s`, `0`, as Go reads them.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"].into_iter().filter(|unit| tail.starts_with(unit));
        let Some(unit) = unit.max_by_key(|unit| unit.len()).filter(|_| number.parse::<f64>().is_ok()) else {
            return false;
        };
        rest = &tail[unit.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn formats_are_told_apart() {
        for (format, good, bad) in [
            ("date-time", "2026-01-01T00:00:00Z", "yesterday"),
            ("date", "2026-01-01", "2026-13-01"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("duration", "1h30m", "soon"),
            ("uuid", "6a1f2f44-9b1c-4c2e-8a5e-0123456789ab", "6a1f"),
            ("ipv6", "::1", "1"),
        ] {
            assert!(fits(format, good) && !fits(format, bad), "{format}");
        }
    }
}
