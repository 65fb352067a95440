//! Amounts with a unit: spans of time, minutes, hours, sizes in bytes.
//!
//! Each holds its unit in its type, has an upper bound so that later arithmetic cannot
//! overflow, and is written back in the form in which people write it.
//! It must not know which setting an amount is for. Read `config/value/scalar.rs` next.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::scalar::Scalar;

/// The longest time limit: a day is already a slip of the pen, such as `2M`, two months.
const LONGEST_SPAN: Duration = Duration::from_hours(24);

/// The longest cooldown or age: whole months make sense, and timers and dates stay far
/// from overflow.
const LONGEST_AMOUNT: Duration = Duration::from_hours(365 * 24);

/// The largest size that a setting may give, in bytes (1 TiB): more is a slip of the
/// pen, and up to here a fraction such as `1.5GiB` is exact.
const LARGEST_BYTES: f64 = 1_099_511_627_776.0;

const UNITS: [(&str, f64); 7] = [
    ("b", 1.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
];

/// Holds a time limit: longer than zero, a day at most.
///
/// Written `20s`, `500ms`, `1m 30s`, or as a plain number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Scalar")]
pub struct Span(Duration);

/// Holds a number of minutes, fractions allowed: zero to a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Scalar")]
pub struct Minutes(Duration);

/// Holds a number of hours, fractions allowed: zero to a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Scalar")]
pub struct Hours(Duration);

/// Holds a size in bytes: at least one, 1 TiB at most.
///
/// Written `64MiB`, `32 MB`, or as a plain number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Scalar")]
pub struct Size(usize);

impl Span {
    /// Makes a span that is known to be in bounds.
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// Reads `20s`, `500ms`, `2m` or a number of seconds.
    pub fn parse(text: &str) -> Result<Self, String> {
        let duration = match text.parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Err(_) => humantime::parse_duration(text).ok(),
        };
        let Some(duration) = duration else {
            let form = "use a number with a unit, such as `20s`, `500ms` or `2m`";
            return Err(format!("`{text}` is not a time: {form}"));
        };
        if duration.is_zero() {
            return Err(format!("`{text}` leaves no time at all: use more than 0"));
        }
        if duration > LONGEST_SPAN {
            return Err(format!("`{text}` is out of bounds: use 24h at most"));
        }
        Ok(Self(duration))
    }

    /// Returns the span as std's duration.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Minutes {
    /// Makes a number of whole minutes that is known to be in bounds.
    pub const fn new(minutes: u64) -> Self {
        Self(Duration::from_mins(minutes))
    }

    /// Reads a number of minutes such as `5` or `0.5`.
    pub fn parse(text: &str) -> Result<Self, String> {
        number_of(text, "minutes", 60.0).map(Self)
    }

    /// Returns the minutes as std's duration.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Hours {
    /// Makes a number of whole hours that is known to be in bounds.
    pub const fn new(hours: u64) -> Self {
        Self(Duration::from_hours(hours))
    }

    /// Reads a number of hours such as `24` or `0.5`.
    pub fn parse(text: &str) -> Result<Self, String> {
        number_of(text, "hours", 3600.0).map(Self)
    }

    /// Returns the hours as std's duration.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Size {
    /// Makes a size of so many mebibytes that is known to be in bounds.
    pub const fn mebibytes(count: usize) -> Self {
        Self(count * 1024 * 1024)
    }

    /// Reads `64MiB`, `32 MB`, `1.5GiB` or a number of bytes.
    ///
    /// A lone `K`, `M` or `G` is refused: it means 1000 to some and 1024 to others.
    pub fn parse(text: &str) -> Result<Self, String> {
        let split = text.find(|sign: char| sign.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let unit = if unit.is_empty() { "b" } else { unit };
        let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (Some((_, factor)), Ok(number)) = (factor, number.trim().parse::<f64>()) else {
            let form = "use a number with `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`";
            return Err(format!("`{text}` is not a size: {form}"));
        };
        let bytes = (number * factor).round();
        if !(1.0..=LARGEST_BYTES).contains(&bytes) {
            return Err(format!("`{text}` is out of bounds: use 1 byte to 1024 GiB"));
        }
        // Printed whole, a float of that range parses exactly; `as` could not say so.
        let wrong = |_| format!("`{text}` is more than this machine can address");
        format!("{bytes:.0}").parse().map(Self).map_err(wrong)
    }

    /// Returns the number of bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }
}

impl TryFrom<Scalar> for Span {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        Self::parse(&scalar.text)
    }
}

impl TryFrom<Scalar> for Minutes {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        Self::parse(&scalar.text)
    }
}

impl TryFrom<Scalar> for Hours {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        Self::parse(&scalar.text)
    }
}

impl TryFrom<Scalar> for Size {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        Self::parse(&scalar.text)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(formatter)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kibibyte = 1024;
        let units = [(kibibyte * kibibyte * kibibyte, "GiB"), (kibibyte * kibibyte, "MiB"), (kibibyte, "KiB")];
        match units.iter().find(|(bytes, _)| self.0.is_multiple_of(*bytes)) {
            Some((bytes, unit)) => write!(formatter, "{}{unit}", self.0 / bytes),
            None => write!(formatter, "{}", self.0),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Minutes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_number(self.0, 60, serializer)
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_number(self.0, 3600, serializer)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn number_of(text: &str, unit: &str, seconds: f64) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let Some(number) = number else {
        return Err(format!("`{text}` is not a number of {unit}: use one such as `5` or `0.5`"));
    };
    let duration = Duration::try_from_secs_f64(number * seconds).unwrap_or(Duration::MAX);
    if duration > LONGEST_AMOUNT {
        return Err(format!("`{text}` is out of bounds: use a year at most"));
    }
    Ok(duration)
}

/// Writes `5` for whole numbers and `0.5` for others, never `5.0`.
fn write_number<S: Serializer>(duration: Duration, unit_seconds: u32, serializer: S) -> Result<S::Ok, S::Error> {
    let unit = u64::from(unit_seconds);
    if duration.subsec_nanos() == 0 && duration.as_secs().is_multiple_of(unit) {
        return serializer.serialize_u64(duration.as_secs() / unit);
    }
    serializer.serialize_f64(duration.as_secs_f64() / f64::from(unit_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_text_with_a_unit_or_a_number_of_seconds() {
        let table = [
            ("20s", Ok(20_000)),
            ("500ms", Ok(500)),
            ("2m", Ok(120_000)),
            ("1m 30s", Ok(90_000)),
            ("90", Ok(90_000)),
            ("1.5", Ok(1_500)),
            ("0", Err("`0` leaves no time at all: use more than 0")),
            ("0ms", Err("`0ms` leaves no time at all: use more than 0")),
            ("2M", Err("`2M` is out of bounds: use 24h at most")),
        ];
        for (text, expected) in table {
            let expected = expected.map(Duration::from_millis).map(Span::new);
            assert_eq!(Span::parse(text), expected.map_err(str::to_owned), "{text}");
        }
        for text in ["-1", "soon", "5 parsecs", "NaN", "inf", "", "1e300"] {
            let form = "use a number with a unit, such as `20s`, `500ms` or `2m`";
            assert_eq!(Span::parse(text), Err(format!("`{text}` is not a time: {form}")));
        }
    }

    #[test]
    fn minutes_and_hours_may_be_fractions() {
        assert_eq!(Minutes::parse("0.1").map(Minutes::duration), Ok(Duration::from_secs(6)));
        assert_eq!(Minutes::parse("0").map(Minutes::duration), Ok(Duration::ZERO));
        assert_eq!(Hours::parse("0.5").map(Hours::duration), Ok(Duration::from_mins(30)));
        for text in ["-1", "NaN", "inf", "5m", ""] {
            let wrong = format!("`{text}` is not a number of minutes: use one such as `5` or `0.5`");
            assert_eq!(Minutes::parse(text), Err(wrong));
        }
        let wrong = Err("`1e300` is out of bounds: use a year at most".to_owned());
        assert_eq!(Hours::parse("1e300"), wrong);
    }

    #[test]
    fn a_size_knows_decimal_and_binary_units() {
        let table = [
            ("64MiB", Some(67_108_864)),
            ("32 MB", Some(32_000_000)),
            ("1.5gib", Some(1_610_612_736)),
            ("1000", Some(1000)),
            ("7b", Some(7)),
            ("0", None),
            ("0.2", None),
            ("2048GiB", None),
            ("64M", None),
            ("-1MB", None),
            ("MiB", None),
            ("NaN", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(Size::parse(text).ok().map(Size::bytes), expected, "{text}");
        }
    }

    #[test]
    #[expect(clippy::unwrap_used, reason = "tests")]
    fn amounts_are_written_as_people_write_them() {
        let written = serde_json::json!([
            Span::parse("90").unwrap(),
            Minutes::parse("5").unwrap(),
            Minutes::parse("0.25").unwrap(),
            Hours::parse("24").unwrap(),
            Size::parse("64MiB").unwrap(),
            Size::parse("1001").unwrap(),
        ]);
        assert_eq!(written.to_string(), r#"["1m 30s",5,0.25,24,"64MiB","1001"]"#);
    }
}
