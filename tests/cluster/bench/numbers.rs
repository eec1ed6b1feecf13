//! Percentiles of raw numbers.

use serde_json::{Value, json};

/// The value that `share` of the numbers do not exceed.
pub fn percentile(numbers: &[f64], share: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Three digits after the point.
pub fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// p50, p99, the largest, and the raw numbers.
pub fn summary(numbers: &[f64]) -> Value {
    json!({
        "p50": rounded(percentile(numbers, 0.5)),
        "p99": rounded(percentile(numbers, 0.99)),
        "max": rounded(percentile(numbers, 1.0)),
        "raw": numbers.iter().copied().map(rounded).collect::<Vec<_>>(),
    })
}
