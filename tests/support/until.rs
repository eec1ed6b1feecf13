//! Waiting for a state by looking at it again and again.

use std::time::{Duration, Instant};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks until the answer is `Ok`; fails with the last answer when that takes longer than `within`.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let begin = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(state) if begin.elapsed() > within => {
                panic!("not within {} s: {what}; last seen: {state}", within.as_secs())
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Seconds, for deadlines that read as numbers.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
