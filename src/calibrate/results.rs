//! Results of load tests as JSON, in the fields of the performance report. Pure.

use serde::Serialize;
use serde_json::{Map, Value};

/// Fewest rows: as many as there are coefficients.
const FEWEST_ROWS: usize = 3;
/// Most rows; a file with more is something else.
const MOST_ROWS: usize = 10_000;
/// Most users of a row, which the queue is solved for.
const MOST_USERS: f64 = 100_000.0;

/// One load test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Concurrent users.
    pub users: u32,
    /// Requests answered per second, good and bad.
    pub requests_per_second: f64,
    /// Mean response time.
    pub mean_seconds: f64,
    /// Share of good answers, 0 to 1.
    pub success: f64,
}

impl Measured {
    /// Good answers per second.
    pub fn goodput(&self) -> f64 {
        self.requests_per_second * self.success
    }

    /// Mean number of requests in the server, by Little's law.
    pub fn in_service(&self) -> f64 {
        self.requests_per_second * self.mean_seconds
    }
}

/// Reads an array of results, or an object with one under `tests`; rows come back in order of users.
/// Every bad field is named with its row.
pub fn parse(text: &str) -> Result<Vec<Measured>, Vec<String>> {
    let document: Value = serde_json::from_str(text).map_err(|error| vec![format!("not JSON: {error}")])?;
    let Some(rows) = document.get("tests").unwrap_or(&document).as_array() else {
        return Err(vec!["neither an array of results nor an object with an array `tests`".to_owned()]);
    };
    if !(FEWEST_ROWS..=MOST_ROWS).contains(&rows.len()) {
        let problem = format!(
            "{} results; {FEWEST_ROWS} at least are needed, {MOST_ROWS} at most are read",
            rows.len()
        );
        return Err(vec![problem]);
    }
    let (mut measured, mut problems) = (Vec::new(), Vec::new());
    for (index, value) in rows.iter().enumerate() {
        match row(value) {
            Ok(row) => measured.push(row),
            Err(of_row) => {
                problems.extend(of_row.into_iter().map(|problem| format!("row {}: {problem}", index + 1)));
            }
        }
    }
    measured.sort_by_key(|row: &Measured| row.users);
    problems.extend(
        measured
            .windows(2)
            .filter(|pair| pair[0].users == pair[1].users)
            .map(|pair| format!("two rows with {} users; keep one, or the mean of both", pair[0].users)),
    );
    if problems.is_empty() { Ok(measured) } else { Err(problems) }
}

fn row(value: &Value) -> Result<Measured, Vec<String>> {
    let Some(fields) = value.as_object() else { return Err(vec!["not an object".to_owned()]) };
    let mut problems = Vec::new();
    let mut field = |name: &str, unit: char, range: (f64, f64)| {
        number(fields, name, unit, range).unwrap_or_else(|problem| {
            problems.push(problem);
            f64::NAN
        })
    };
    let users = field("concurrent_users", ' ', (1.0, MOST_USERS));
    let requests_per_second = field("requests_per_second", ' ', (1e-6, 1e9));
    let mean_seconds = field("avg_response_time", 's', (1e-6, 3600.0));
    let success =
        if fields.contains_key("success_rate") { field("success_rate", '%', (0.0, 100.0)) } else { 100.0 };
    let users = whole(users).unwrap_or_else(|| {
        problems.push(format!("concurrent_users: {users} is not a whole number"));
        0
    });
    if fields.contains_key("failed_requests") && !fields.contains_key("success_rate") {
        problems.push("success_rate: missing although failed_requests is there".to_owned());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Measured { users, requests_per_second, mean_seconds, success: success / 100.0 })
}

/// A number, or a string of one with its unit: 0.0075 or "0.0075s", 100 or "100%".
fn number(
    fields: &Map<String, Value>,
    name: &str,
    unit: char,
    (least, most): (f64, f64),
) -> Result<f64, String> {
    let value = fields.get(name).ok_or_else(|| format!("{name}: missing"))?;
    let parsed = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().trim_end_matches(unit).parse().ok(),
        _ => None,
    };
    let within = parsed.filter(|number| (least..=most).contains(number));
    let shown: String = value.to_string().chars().take(40).collect();
    within.ok_or_else(|| format!("{name}: {shown} is not a number from {least} to {most}"))
}

/// `NaN` stands for a field that already has a problem.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked against its range before"
)]
fn whole(users: f64) -> Option<u32> {
    (users.is_nan() || users.fract() == 0.0).then_some(users as u32)
}
