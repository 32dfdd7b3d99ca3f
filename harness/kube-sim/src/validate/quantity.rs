//! Quantities: reading them, comparing them, and the one form in which they are written.
//!
//! Source: apimachinery's `resource.Quantity`. Amounts are held exactly in thousandths of nano; amounts beyond what 128 bits
//! hold are cut off there.

use serde_json::Value;

/// What the real server says of a text that is no quantity.
const PROBLEM: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// Nano units, exact.
type Nano = i128;

const NANO: Nano = 1_000_000_000;

/// How an amount was written, which is how it is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Decimal,
    Exponent,
    Binary,
}

/// What is wrong with a value that should be a quantity.
pub(super) fn problem(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(text) if parse(text).is_some() => None,
        Value::Number(number) if parse(&number.to_string()).is_some() => None,
        _ => Some(PROBLEM),
    }
}

/// The amount in nano units; none for what is no quantity.
pub(super) fn nano(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => parse(text),
        Value::Number(number) => parse(&number.to_string()),
        _ => None,
    }
    .map(|(amount, _)| amount)
}

/// The one form in which an amount is written: `0.5` is `500m`, `1024Ki` is `1Mi`.
pub(crate) fn canonical(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (amount, form) = parse(&text)?;
    Some(match form {
        Form::Binary if amount % NANO == 0 && amount.unsigned_abs() >= 1024 * NANO.unsigned_abs() => {
            binary(amount / NANO)
        }
        Form::Binary | Form::Decimal => decimal(amount, &["n", "u", "m", "", "k", "M", "G", "T", "P", "E"]),
        Form::Exponent => decimal(amount, &["e-9", "e-6", "e-3", "", "e3", "e6", "e9", "e12", "e15", "e18"]),
    })
}

fn binary(mut units: i128) -> String {
    let mut step = 0;
    while units != 0 && units % 1024 == 0 && step < 6 {
        units /= 1024;
        step += 1;
    }
    format!("{units}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][step])
}

fn decimal(mut amount: Nano, suffixes: &[&str; 10]) -> String {
    let mut step = 0;
    while amount != 0 && amount % 1000 == 0 && step < 9 {
        amount /= 1000;
        step += 1;
    }
    if amount == 0 { "0".to_owned() } else { format!("{amount}{}", suffixes[step]) }
}

fn parse(text: &str) -> Option<(Nano, Form)> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let (factor, form) = factor(suffix)?;
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
    let mut amount = digits(whole)?.saturating_mul(factor);
    // Digits below nano are rounded up, as the real server does.
    let mut share = factor;
    for digit in fraction.bytes().map(|byte| i128::from(byte - b'0')) {
        let part = digit.saturating_mul(share);
        amount = amount.saturating_add(part / 10 + i128::from(part % 10 != 0 && share < 10));
        share /= 10;
    }
    Some((amount.saturating_mul(sign), form))
}

/// How many nano units one of the suffix is.
fn factor(suffix: &str) -> Option<(Nano, Form)> {
    let decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    if let Some(step) = decimal.iter().position(|one| *one == suffix) {
        return Some((1000_i128.pow(u32::try_from(step).ok()?), Form::Decimal));
    }
    if let Some(step) = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|one| *one == suffix) {
        return Some((NANO.saturating_mul(1024_i128.pow(u32::try_from(step).ok()? + 1)), Form::Binary));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = u32::try_from(exponent.checked_add(9)?).ok().filter(|power| *power < 30)?;
    Some((10_i128.pow(power), Form::Exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_have_one_form() {
        let shown = |value: Value| canonical(&value).unwrap();
        assert_eq!(shown(json!(0.5)), "500m");
        assert_eq!(shown(json!("1024Ki")), "1Mi");
        assert_eq!(shown(json!("1000000")), "1M");
        assert_eq!(shown(json!("1500Mi")), "1500Mi");
        assert_eq!(shown(json!("0")), "0");
        assert_eq!(shown(json!("1e3")), "1e3");
        assert_eq!(shown(json!("-2")), "-2");
        assert!(problem(&json!("5GiB")).is_some() && problem(&json!("lots")).is_some());
        assert!(nano(&json!("1")).unwrap() < nano(&json!("1001m")).unwrap());
    }
}
