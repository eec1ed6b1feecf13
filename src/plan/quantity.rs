//! Exact arithmetic on the two Kubernetes quantities the plan reads: bytes and thousandths of a CPU.

/// Bytes in one MiB.
pub const MEBIBYTE: i64 = 1 << 20;

/// An amount of memory or disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub i64);

/// An amount of CPU, in thousandths of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millicores(pub i64);

impl Bytes {
    /// Parses a Kubernetes quantity such as `512Mi`, `1.5Gi`, `2G` or `1048576`; fractions of a
    /// byte are rounded up, as Kubernetes does. `None` when malformed or beyond 2^62.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, suffix) = split(text);
        let factor: i64 = match suffix {
            // The form in which the server keeps a fraction of a byte.
            "m" => return scaled(number, 1).map(|thousandths| Self((thousandths + 999) / 1000)),
            "Ki" => 1 << 10,
            "Mi" => MEBIBYTE,
            "Gi" => 1 << 30,
            "Ti" => 1 << 40,
            "Pi" => 1 << 50,
            suffix => decimal(suffix)?,
        };
        scaled(number, factor).map(Self)
    }

    /// Whole MiB, rounded down.
    pub fn mebibytes(self) -> i64 {
        self.0 / MEBIBYTE
    }

    /// The share `numerator / denominator`, rounded down.
    #[must_use]
    pub fn share(self, numerator: i64, denominator: i64) -> Self {
        let product = i128::from(self.0) * i128::from(numerator) / i128::from(denominator);
        Self(i64::try_from(product).unwrap_or(i64::MAX))
    }
}

impl Millicores {
    /// Parses `500m`, `2` or `1.5`, and `1k`, as which the server keeps a thousand; finer fractions
    /// are rounded up.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, suffix) = split(text);
        match suffix {
            "m" => scaled(number, 1).map(Self),
            suffix => scaled(number, decimal(suffix)?.checked_mul(1000)?).map(Self),
        }
    }

    /// Whole cores, rounded up, at least 1.
    pub fn cores(self) -> i64 {
        ((self.0 + 999) / 1000).max(1)
    }
}

/// A quantity's number and its suffix.
fn split(text: &str) -> (&str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(digits)
}

/// Factor of a decimal suffix.
fn decimal(suffix: &str) -> Option<i64> {
    Some(match suffix {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        _ => return None,
    })
}

/// `number · factor` for a plain decimal number, rounded up.
fn scaled(number: &str, factor: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 18
        || fraction.len() > 9
        || !all_digits(whole)
        || !all_digits(fraction)
    {
        return None;
    }
    let places = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let value = (digits * i128::from(factor) + places - 1) / places;
    i64::try_from(value).ok().filter(|value| *value < 1 << 62)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, bytes) in [
            ("1", 1),
            ("1k", 1000),
            ("1Ki", 1024),
            ("1.5Gi", 1_610_612_736),
            ("512Mi", 536_870_912),
            ("0.1", 1),
            ("1331200m", 1332),
            ("1Pi", 1 << 50),
        ] {
            assert_eq!(Bytes::parse(text), Some(Bytes(bytes)), "{text}");
        }
        for (text, millicores) in
            [("2", 2000), ("500m", 500), ("1.5", 1500), ("0.0001", 1), ("1k", 1_000_000)]
        {
            assert_eq!(Millicores::parse(text), Some(Millicores(millicores)), "{text}");
        }
    }

    #[test]
    fn malformed_quantities_are_refused() {
        for text in ["", "Gi", "-1", "1.2.3", "1 Gi", "1Xi", "9999999999999999999", "99999999999Ti", ".5"] {
            assert_eq!(Bytes::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn mebibytes_round_trip(count in 0_i64..1_000_000_000) {
            prop_assert_eq!(Bytes::parse(&format!("{count}Mi")).map(Bytes::mebibytes), Some(count));
        }
    }
}
