//! Kubernetes quantities (`250m`, `1.5Gi`, `1e3`) as exact numbers of thousandths.

/// An amount in thousandths of its unit; finer amounts are rounded up, as Kubernetes does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(i128);

impl Quantity {
    /// So many whole units.
    pub(crate) fn units(units: i128) -> Self {
        Self(units.saturating_mul(1000))
    }

    /// Reads a quantity; `None` when the text is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let split = text
            .char_indices()
            .find(|(index, letter)| {
                !(letter.is_ascii_digit() || *letter == '.' || (*index == 0 && matches!(letter, '+' | '-')))
            })
            .map_or(text.len(), |(index, _)| index);
        let (number, suffix) = text.split_at(split);
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.len() > 20 {
            return None;
        }
        let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
        let denominator = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let (times, per) = scale(suffix)?;
        let numerator = digits.checked_mul(times)?.checked_mul(1000)?;
        let denominator = denominator.checked_mul(per)?;
        let milli = numerator / denominator + i128::from(numerator % denominator != 0);
        Some(Self(if negative { -milli } else { milli }))
    }

    /// How many times `divisor` fits, rounded up.
    pub(crate) fn divided_up(self, divisor: Self) -> i128 {
        if divisor.0 == 0 {
            return 0;
        }
        self.0.div_euclid(divisor.0) + i128::from(self.0.rem_euclid(divisor.0) != 0)
    }

    /// The sum, at most the largest amount.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, which may be negative.
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether this is more than `times` of `other`.
    pub(crate) fn exceeds_times(self, other: Self, times: Self) -> bool {
        self.0.saturating_mul(1000) > other.0.saturating_mul(times.0)
    }

    /// How often `other` fits, roughly.
    pub(crate) fn ratio(self, other: Self) -> f64 {
        let thousandths = if other.0 == 0 { 0 } else { self.0.saturating_mul(1_000_000) / other.0 };
        f64::from(i32::try_from(thousandths).unwrap_or(i32::MAX)) / 1_000_000.0
    }

    /// The amount in the shortest form that loses nothing, with binary (`Mi`) or decimal suffixes (`m`, `k`).
    pub(crate) fn shown(self, binary: bool) -> String {
        let Self(milli) = self;
        if milli % 1000 != 0 {
            return format!("{milli}m");
        }
        let units = milli / 1000;
        let (base, suffixes) = if binary {
            (1024_i128, ["Ei", "Pi", "Ti", "Gi", "Mi", "Ki"])
        } else {
            (1000, ["E", "P", "T", "G", "M", "k"])
        };
        for (suffix, power) in suffixes.iter().zip([6_u32, 5, 4, 3, 2, 1]) {
            let size = base.pow(power);
            if units != 0 && units % size == 0 {
                return format!("{}{suffix}", units / size);
            }
        }
        units.to_string()
    }

    /// This share of `whole` in per mille; 1000 when `whole` is nothing.
    pub(crate) fn share_of(self, whole: Self) -> i128 {
        if whole.0 <= 0 { 1000 } else { self.0.saturating_mul(1000) / whole.0 }
    }
}

/// Numerator and denominator that a suffix stands for.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    if let Some(power) = binary.iter().position(|known| *known == suffix) {
        return Some((1_i128 << (10 * (power + 1)), 1));
    }
    let decimal = ["k", "M", "G", "T", "P", "E"];
    if let Some(power) = decimal.iter().position(|known| *known == suffix) {
        return Some((10_i128.pow(3 * (u32::try_from(power).ok()? + 1)), 1));
    }
    match suffix {
        "" => Some((1, 1)),
        "m" => Some((1, 1000)),
        "u" => Some((1, 1_000_000)),
        "n" => Some((1, 1_000_000_000)),
        other => {
            let exponent: i32 = other.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
            Some(if exponent < 0 { (1, power) } else { (power, 1) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_of_every_form_compare() {
        let milli = |text: &str| Quantity::parse(text).map(|quantity| quantity.0);
        let cases = [
            ("1", Some(1000)),
            ("250m", Some(250)),
            ("1.5", Some(1500)),
            (".5", Some(500)),
            ("1Ki", Some(1_024_000)),
            ("1.5Gi", Some(1_610_612_736_000)),
            ("2k", Some(2_000_000)),
            ("1e3", Some(1_000_000)),
            ("1n", Some(1)),
            ("-1", Some(-1000)),
            ("", None),
            ("Gi", None),
            ("1.2.3", None),
            ("1Q", None),
        ];
        for (text, expected) in cases {
            assert_eq!(milli(text), expected, "{text}");
        }
        let shown = |text: &str, binary| Quantity::parse(text).map(|quantity| quantity.shown(binary));
        assert_eq!(shown("1536Mi", true).as_deref(), Some("1536Mi"));
        assert_eq!(shown("2048Mi", true).as_deref(), Some("2Gi"));
        assert_eq!(shown("1.5", false).as_deref(), Some("1500m"));
        assert_eq!(shown("0", true).as_deref(), Some("0"));
        assert_eq!(Quantity::units(3).divided_up(Quantity::units(2)), 2);
    }
}
