//! Hash slots as a set of intervals. Pure.
//!
//! A cluster has 16384 slots, nearly always in a few long runs, so a sorted list of disjoint,
//! non-adjacent ranges is both the smallest form and the one Redis prints.

use std::fmt;

use thiserror::Error;

/// How many hash slots every Redis Cluster has.
pub const SLOT_COUNT: u16 = 16384;

/// An inclusive run of slots: `start <= end < SLOT_COUNT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotRange {
    start: u16,
    end: u16,
}

/// Text or numbers that are not a run of slots.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{text}\" is not a slot or a range of slots between 0 and 16383")]
pub struct InvalidSlots {
    text: String,
}

impl SlotRange {
    /// The slots from `start` to `end`, both included.
    pub fn new(start: u16, end: u16) -> Result<Self, InvalidSlots> {
        if start <= end && end < SLOT_COUNT {
            Ok(Self { start, end })
        } else {
            Err(InvalidSlots { text: format!("{start}-{end}") })
        }
    }

    /// Reads `"93"` or `"0-5460"`, the form of `CLUSTER NODES`.
    pub fn parse(text: &str) -> Result<Self, InvalidSlots> {
        let invalid = || InvalidSlots { text: text.to_owned() };
        let number = |part: &str| {
            // `u16::from_str` takes a leading plus, Redis never prints one.
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse::<u16>().map_err(|_| invalid()) } else { Err(invalid()) }
        };
        let (start, end) = match text.split_once('-') {
            Some((start, end)) => (number(start)?, number(end)?),
            None => (number(text)?, number(text)?),
        };
        Self::new(start, end).map_err(|_| invalid())
    }

    /// First slot.
    pub fn start(self) -> u16 {
        self.start
    }

    /// Last slot, included.
    pub fn end(self) -> u16 {
        self.end
    }

    /// How many slots.
    pub fn count(self) -> u16 {
        self.end - self.start + 1
    }
}

impl fmt::Display for SlotRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start == self.end {
            write!(formatter, "{}", self.start)
        } else {
            write!(formatter, "{}-{}", self.start, self.end)
        }
    }
}

/// A set of slots. Equal sets are equal values: ranges are sorted, disjoint and never adjacent.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotSet {
    ranges: Vec<SlotRange>,
}

impl SlotSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// All 16384 slots.
    pub fn full() -> Self {
        Self::from(SlotRange { start: 0, end: SLOT_COUNT - 1 })
    }

    /// The part of shard `index` when all slots are split over `shards` as evenly as possible.
    /// Empty when there is no such shard.
    pub fn even_share(index: usize, shards: usize) -> Self {
        if index >= shards {
            return Self::new();
        }
        let total = usize::from(SLOT_COUNT);
        let (start, next) = (index * total / shards, (index + 1) * total / shards);
        match (u16::try_from(start), u16::try_from(next)) {
            (Ok(start), Ok(next)) if start < next => Self::from(SlotRange { start, end: next - 1 }),
            _ => Self::new(),
        }
    }

    /// Reads ranges parted by commas or blanks; `""` is the empty set.
    pub fn parse(text: &str) -> Result<Self, InvalidSlots> {
        let mut set = Self::new();
        for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
            set.insert(SlotRange::parse(part)?);
        }
        Ok(set)
    }

    /// Adds every slot of the range.
    pub fn insert(&mut self, range: SlotRange) {
        let first = self.ranges.partition_point(|held| held.end + 1 < range.start);
        let after = self.ranges.partition_point(|held| held.start <= range.end + 1);
        let mut merged = range;
        for held in &self.ranges[first..after] {
            merged.start = merged.start.min(held.start);
            merged.end = merged.end.max(held.end);
        }
        self.ranges.splice(first..after, [merged]);
    }

    /// Takes every slot of the range out.
    pub fn remove(&mut self, range: SlotRange) {
        let mut kept = Vec::with_capacity(self.ranges.len() + 1);
        for held in &self.ranges {
            if held.start < range.start {
                kept.push(SlotRange { start: held.start, end: held.end.min(range.start - 1) });
            }
            if held.end > range.end {
                kept.push(SlotRange { start: held.start.max(range.end + 1), end: held.end });
            }
        }
        self.ranges = kept;
    }

    /// Slots in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut result = self.clone();
        other.ranges().for_each(|range| result.insert(range));
        result
    }

    /// Slots in this set and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut result = self.clone();
        other.ranges().for_each(|range| result.remove(range));
        result
    }

    /// Slots in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.difference(&self.difference(other))
    }

    /// How many slots.
    pub fn count(&self) -> u16 {
        self.ranges().map(SlotRange::count).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether the slot is in the set.
    pub fn contains(&self, slot: u16) -> bool {
        let index = self.ranges.partition_point(|held| held.end < slot);
        self.ranges.get(index).is_some_and(|held| held.start <= slot)
    }

    /// The runs in ascending order.
    pub fn ranges(&self) -> impl Iterator<Item = SlotRange> + '_ {
        self.ranges.iter().copied()
    }
}

impl From<SlotRange> for SlotSet {
    fn from(range: SlotRange) -> Self {
        Self { ranges: vec![range] }
    }
}

impl FromIterator<SlotRange> for SlotSet {
    fn from_iter<I: IntoIterator<Item = SlotRange>>(ranges: I) -> Self {
        let mut set = Self::new();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

/// `0-5460,5462`, and `none` for the empty set.
impl fmt::Display for SlotSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("none");
        }
        for (index, range) in self.ranges().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            write!(formatter, "{range}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
