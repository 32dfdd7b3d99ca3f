//! Whether a host is one that something here answers for.

use std::net::IpAddr;

use super::super::nearest::nearer;
use crate::surfaces;

/// Hosts differ in a letter or two when they are misspelled.
const ALIKE: f64 = 0.85;

/// A doubt about a host. On the way to the Internet (`beyond`) there are others than those of the cloud, so that only one that
/// looks like one of these is doubted.
pub(super) fn doubt(text: &str, beyond: bool) -> Option<String> {
    let wanted = text.to_ascii_lowercase();
    if surfaces::hosts().any(|known| may_be(&wanted, known)) {
        return None;
    }
    let bare = wanted.trim_matches('*').trim_start_matches('.');
    let below = bare.split_once('.').map_or("", |(_, below)| below);
    let near = |name: &str, suffixes: bool| {
        let known = surfaces::hosts().filter(|known| known.starts_with('.') == suffixes || wanted != bare);
        nearer(name, known.map(|known| known.trim_start_matches('.')), ALIKE)
    };
    if let Some(known) = near(bare, false) {
        return Some(format!("no host of the simulated cloud is '{text}': did you mean '{known}'?"));
    }
    if let Some(known) = near(below, true) {
        return Some(format!("no host of the simulated cloud is '{text}': did you mean '*.{known}'?"));
    }
    let address = bare.parse::<IpAddr>().is_ok() || wanted.contains(':') || bare == "localhost";
    (!beyond && !address && bare.contains('.'))
        .then(|| format!("the simulated cloud does not serve '{text}', unless a profile adds that name"))
}

/// Whether a pattern can stand for a host that is known, or for one below a known suffix.
fn may_be(wanted: &str, known: &str) -> bool {
    let bare = wanted.trim_matches('*');
    match (wanted.starts_with('*'), wanted.ends_with('*'), known.strip_prefix('.')) {
        (_, true, Some(_)) => true,
        (true, true, None) => known.contains(bare),
        (false, true, None) => known.starts_with(bare),
        (true, false, None) => known.ends_with(bare),
        (true, false, Some(_)) => known.ends_with(bare) || bare.ends_with(known),
        (false, false, None) => known == wanted,
        (false, false, Some(_)) => wanted.ends_with(known),
    }
}
