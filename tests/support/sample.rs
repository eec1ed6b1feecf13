//! How much of a long list of cases is tried: all of it by `make endurance`, a sample by `make test`.

/// Of so many cases in a row `make test` tries the first.
const SHARE: usize = 4;

/// Whether every case is to be tried.
pub fn thorough() -> bool {
    std::env::var_os("EAISER_THOROUGH").is_some()
}

/// The cases to try, and a word on how many were left out.
pub fn of<T>(what: &str, cases: impl IntoIterator<Item = T>) -> Vec<T> {
    let all: Vec<T> = cases.into_iter().collect();
    let count = all.len();
    if thorough() {
        return all;
    }
    let sample: Vec<T> = all.into_iter().step_by(SHARE).collect();
    println!("{what}: {} of {count} are tried; all of them by make endurance", sample.len());
    sample
}
