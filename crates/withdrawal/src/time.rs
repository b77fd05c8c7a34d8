//! Points in time as Unix seconds, written as RFC 3339 in UTC. Nothing here reads a clock.

use std::fmt;
use std::str::FromStr;

use crate::wire::{Reader, Wire, WireError};

/// Unix seconds, from 1970 to the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

const MAX_SECS: u64 = 253_402_300_799;

impl Timestamp {
    /// From Unix seconds; `None` after the year 9999.
    pub const fn from_secs(secs: u64) -> Option<Self> {
        if secs > MAX_SECS { None } else { Some(Self(secs)) }
    }

    /// From Unix seconds, cut at the year 9999.
    pub const fn clamped(secs: u64) -> Self {
        Self(if secs > MAX_SECS { MAX_SECS } else { secs })
    }

    /// Unix seconds.
    pub const fn secs(self) -> u64 {
        self.0
    }

    /// Later by `secs`, cut at the year 9999.
    pub const fn plus(self, secs: u64) -> Self {
        Self::clamped(self.0.saturating_add(secs))
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (proleptic, year 0 to 9999).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(i64::try_from(self.0 / 86_400).unwrap_or(0));
        let (h, m, s) = (self.0 / 3600 % 24, self.0 / 60 % 60, self.0 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
    }
}

impl FromStr for Timestamp {
    type Err = String;

    /// Reads `YYYY-MM-DDTHH:MM:SSZ` and nothing else: one moment has one spelling.
    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not a time like 2024-05-31T04:26:00Z");
        let number = |from: usize, to: usize| -> Result<i64, String> {
            let digits = text.get(from..to).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|d| d.parse().ok()).ok_or_else(fail)
        };
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (h, m, s) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let secs = days(year, month.clamp(1, 12), day) * 86_400 + h * 3600 + m * 60 + s;
        let time = u64::try_from(secs).ok().and_then(Self::from_secs).ok_or_else(fail)?;
        // Written back it must be the same: that refuses 30 February, hour 24 and other separators.
        if time.to_string() == text { Ok(time) } else { Err(fail()) }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Wire for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Self::from_secs(u64::take(from)?).ok_or_else(|| from.fail("time after the year 9999"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_spelling() {
        for text in ["1970-01-01T00:00:00Z", "2024-05-31T04:26:00Z", "2024-02-29T23:59:59Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        assert_eq!("2024-05-31T04:26:00Z".parse::<Timestamp>().unwrap().secs(), 1_717_129_560);
        for text in [
            "2023-02-29T00:00:00Z",
            "2024-05-31 04:26:00Z",
            "2024-05-31T04:26:00+00:00",
            "2024-05-31T24:00:00Z",
            "2024-05-31T04:26:60Z",
            "2024-13-01T00:00:00Z",
            "",
            "2024",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        for secs in (0..4_000_000_000u64).step_by(86_399 * 37) {
            let time = Timestamp(secs);
            assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }
}
