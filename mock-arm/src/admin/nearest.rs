//! Names that somebody may have meant.

/// Farther apart than this share of their length, two names have nothing to do with each other.
const ALIKE: f64 = 0.6;

/// The most similar of some names, if any is similar at all; case does not count.
pub(super) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearer(name, names, ALIKE)
}

/// The same with a share of their length that must agree at least.
pub(super) fn nearer<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
    least: f64,
) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let scored = names
        .into_iter()
        .map(|known| (strsim::normalized_levenshtein(&name, &known.to_ascii_lowercase()), known));
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 >= least).then_some(best.1)
}
