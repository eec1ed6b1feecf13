//! A load over time, out of CSV: `seconds,users[,requests_per_second]`. Pure.

use std::fmt;

/// Longest trace: 31 days.
const MOST_SECONDS: u32 = 31 * 86_400;
/// Most users, as in the spec.
const MOST_USERS: u32 = 10_000_000;
/// Requests per second of one user, as in the spec.
const PACES: std::ops::RangeInclusive<f64> = 0.000_1..=10_000.0;
/// A file that is no trace at all has as many faults as lines.
const MOST_FAULTS: usize = 20;

/// What is there in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Concurrent users.
    pub users: u32,
    /// Requests per second that they would cause if each were answered at once; without it, the
    /// profile's requests per user.
    pub requests_per_second: Option<f64>,
}

impl Load {
    /// Requests per second of one user.
    pub fn pace(&self) -> Option<f64> {
        self.requests_per_second.filter(|_| self.users > 0).map(|requests| requests / f64::from(self.users))
    }
}

/// A load over time. Each line holds until the next; the last one is the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    points: Vec<(u32, Load)>,
    seconds: u32,
}

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number, from 1; 0 for the trace as a whole.
    pub line: usize,
    /// The column.
    pub field: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}", self.problem),
            line => write!(formatter, "line {line}, {}: {}", self.field, self.problem),
        }
    }
}

impl Trace {
    /// One load for each second.
    pub fn each_second(loads: impl IntoIterator<Item = Load>) -> Self {
        let points: Vec<(u32, Load)> = (0..).zip(loads).collect();
        let seconds = u32::try_from(points.len()).unwrap_or(u32::MAX);
        Self { points, seconds }
    }

    /// Reads CSV. Blank lines, lines that start with `#` and one header are passed over.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let mut points: Vec<(u32, Load)> = Vec::new();
        let mut faults = Vec::new();
        let mut may_be_header = true;
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if std::mem::take(&mut may_be_header) && line.starts_with(|first: char| first.is_alphabetic()) {
                continue;
            }
            match point(line, points.last().map(|(second, _)| *second)) {
                Ok(point) => points.push(point),
                Err((field, problem)) => faults.push(Fault { line: index + 1, field, problem }),
            }
            if faults.len() == MOST_FAULTS {
                faults.push(whole_trace("more lines may be wrong; reading stopped here"));
                return Err(faults);
            }
        }
        if faults.is_empty() && points.len() < 2 {
            faults.push(whole_trace("a trace needs two lines of numbers: a load, and the second it ends at"));
        }
        if faults.is_empty() { Ok(Self::new(points)) } else { Err(faults) }
    }

    /// Time starts with the first line.
    fn new(points: Vec<(u32, Load)>) -> Self {
        let start = points.first().map_or(0, |(second, _)| *second);
        let points: Vec<_> = points.into_iter().map(|(second, load)| (second - start, load)).collect();
        let seconds = points.last().map_or(0, |(second, _)| *second);
        Self { points, seconds }
    }

    /// How long it lasts.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Most users of it.
    pub fn most_users(&self) -> u32 {
        self.points.iter().map(|(_, load)| load.users).max().unwrap_or(0)
    }

    /// The load in a second.
    pub fn at(&self, second: u32) -> Load {
        let after = self.points.partition_point(|(start, _)| *start <= second);
        after
            .checked_sub(1)
            .and_then(|index| self.points.get(index))
            .map_or_else(Load::default, |point| point.1)
    }
}

fn whole_trace(problem: &str) -> Fault {
    Fault { line: 0, field: "", problem: problem.to_owned() }
}

/// Reads one line.
fn point(line: &str, before: Option<u32>) -> Result<(u32, Load), (&'static str, String)> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let (second, users, requests) = match fields.as_slice() {
        [second, users] => (*second, *users, None),
        [second, users, requests] => (*second, *users, Some(*requests).filter(|text| !text.is_empty())),
        other => {
            let problem =
                format!("{} fields; write seconds,users or seconds,users,requests_per_second", other.len());
            return Err(("fields", problem));
        }
    };
    let second = number("seconds", second, MOST_SECONDS)?;
    if let Some(before) = before.filter(|before| *before >= second) {
        return Err(("seconds", format!("{second} is not after the {before} of the line before")));
    }
    let users = number("users", users, MOST_USERS)?;
    let requests_per_second = requests.map(|text| requests_of(text, users)).transpose()?;
    Ok((second, Load { users, requests_per_second }))
}

fn number(field: &'static str, text: &str, most: u32) -> Result<u32, (&'static str, String)> {
    let parsed = text.parse::<u32>().ok().filter(|number| *number <= most);
    parsed.ok_or_else(|| (field, format!("`{}` is not a whole number from 0 to {most}", short(text))))
}

fn requests_of(text: &str, users: u32) -> Result<f64, (&'static str, String)> {
    const FIELD: &str = "requests_per_second";
    let parsed = text.parse::<f64>().ok().filter(|requests| requests.is_finite() && *requests >= 0.0);
    let Some(requests) = parsed else {
        return Err((FIELD, format!("`{}` is not a number of 0 or more", short(text))));
    };
    if users == 0 {
        let problem = || (FIELD, format!("nobody is there to send {requests}"));
        return if requests > 0.0 { Err(problem()) } else { Ok(0.0) };
    }
    if !PACES.contains(&(requests / f64::from(users))) {
        let problem = format!("{requests} of {users} users is not between 0.0001 and 10000 of each");
        return Err((FIELD, problem));
    }
    Ok(requests)
}

/// A field may be a whole file.
fn short(text: &str) -> String {
    let printable = text.chars().take(30).map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut short: String = printable.collect();
    if text.chars().nth(30).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
