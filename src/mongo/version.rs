//! MongoDB's versions: read from replies, image tags and specs, and which may follow which. Pure.

mod change;
#[cfg(test)]
mod tests;

use std::fmt;

pub use change::{Held, Running, may_follow};

/// Oldest series that is supported.
pub const OLDEST: Series = Series { major: 4, minor: 4 };
/// Numbers below these were never MongoDB's: a tag that holds them counts something else.
const NEVER_SMALLER: Series = Series { major: 3, minor: 0 };

/// Major and minor number, for example 7.0; what a feature compatibility version is called after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

/// A version, as far as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Its series.
    pub series: Series,
    /// The third number; none of `7.0`.
    pub patch: Option<u16>,
}

/// The feature compatibility version of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// What the data may be used with.
    pub version: Series,
    /// Where a change that began and has not ended leads.
    pub target: Option<Series>,
}

impl Series {
    /// From two numbers and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        Version::parse(text).filter(|version| version.patch.is_none()).map(|version| version.series)
    }
}

impl Version {
    /// From two or three numbers, and what a `-` adds: `7.0`, `7.0.14`, `8.0.0-rc1`.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+', '_']).next().unwrap_or_default();
        let mut parts = numbers.split('.').map(number);
        let series = Series { major: parts.next()??, minor: parts.next()?? };
        let patch = match parts.next() {
            Some(patch) => Some(patch?),
            None => None,
        };
        parts.next().is_none().then_some(Self { series, patch })
    }

    /// From the tag of an image. A digest, `latest` and a tag that counts something else tell nothing.
    pub fn of_image(image: &str) -> Option<Self> {
        let named = image.split('@').next().unwrap_or_default();
        let last = named.rsplit('/').next().unwrap_or_default();
        let (_, tag) = last.split_once(':')?;
        Self::parse(tag.strip_prefix('v').unwrap_or(tag)).filter(|version| version.series >= NEVER_SMALLER)
    }
}

/// Digits only: a sign is no part of a version.
fn number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Feature {
    /// The lowest and the highest it is or is on its way to.
    pub fn range(&self) -> (Series, Series) {
        let target = self.target.unwrap_or(self.version);
        (self.version.min(target), self.version.max(target))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.patch {
            Some(patch) => write!(formatter, "{}.{patch}", self.series),
            None => self.series.fmt(formatter),
        }
    }
}
