//! An operator that is killed at random moments and replaced, and what all its lives measured.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::until::seconds;
use super::{Operator, World, http, until};

/// Environment variable with the seed of a run that is to be repeated.
const SEED: &str = "EAISER_SEED";
/// Group of the operator's process; nothing else on the machine has it.
pub const GROUP: u32 = 64_817;
/// Shortest and longest life, in milliseconds.
const LIFE: (u64, u64) = (3_000, 15_000);
/// Longest time without any operator, in milliseconds.
const ABSENCE: u64 = 2_000;

/// The operator of a scenario, one life after the other.
pub struct Mortal<'a> {
    world: &'a World,
    state: Mutex<State>,
    spared: AtomicBool,
    /// Seed of the moments at which it dies.
    pub seed: u64,
}

#[derive(Default)]
struct State {
    operator: Option<Operator>,
    deaths: usize,
    measured: BTreeMap<String, f64>,
}

impl<'a> Mortal<'a> {
    /// Starts its first life and prints the seed.
    pub fn start(world: &'a World) -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
        let seed = std::env::var(SEED).map_or_else(|_| clock(), |text| text.parse().unwrap());
        println!("the operator dies at random moments; the same ones again with {SEED}={seed}");
        let mortal = Self { world, state: Mutex::default(), spared: AtomicBool::new(false), seed };
        mortal.revive();
        mortal
    }

    /// Kills it and starts it anew, without end.
    pub async fn dies_again_and_again(&self) -> Infallible {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut between =
            |(least, most): (u64, u64)| Duration::from_millis(least + random.next_u64() % (most - least));
        loop {
            tokio::time::sleep(between(LIFE)).await;
            if self.spared.load(Ordering::Relaxed) {
                continue;
            }
            self.die().await;
            tokio::time::sleep(between((0, ABSENCE))).await;
            self.revive();
        }
    }

    /// Lets it live until it is fair game again, so that what it says can be timed.
    pub async fn spare(&self) {
        self.spared.store(true, Ordering::Relaxed);
        until("an operator lives", seconds(30), async || {
            let address = self.address().ok_or("none")?;
            let ready = http::get(&format!("http://{address}/readyz")).await?;
            if ready.status == 200 { Ok(()) } else { Err(ready.status.to_string()) }
        })
        .await;
    }

    /// Ends [`Self::spare`].
    pub fn fair_game(&self) {
        self.spared.store(false, Ordering::Relaxed);
    }

    async fn die(&self) {
        self.collect().await;
        let operator = self.state.lock().unwrap().operator.take();
        if let Some(operator) = operator {
            operator.kill();
            self.state.lock().unwrap().deaths += 1;
        }
    }

    fn revive(&self) {
        let operator = Operator::start_in_group(self.world, GROUP);
        self.state.lock().unwrap().operator = Some(operator);
    }

    fn address(&self) -> Option<String> {
        let state = self.state.lock().unwrap();
        state.operator.as_ref().map(|operator| operator.address().to_owned())
    }

    /// How often it died.
    pub fn deaths(&self) -> usize {
        self.state.lock().unwrap().deaths
    }

    /// Histograms of failovers and steps, summed up over all lives: labels, count and mean in seconds.
    /// Call it once, in the end.
    pub async fn measured(&self) -> Vec<(String, f64, f64)> {
        self.collect().await;
        let state = self.state.lock().unwrap();
        let counts = state.measured.iter().filter_map(|(series, count)| {
            let (name, labels) = series.split_once("_count{")?;
            let sum = state.measured.get(&format!("{name}_sum{{{labels}"))?;
            Some((labels.trim_end_matches('}').to_owned(), *count, sum / count))
        });
        counts.collect()
    }

    /// Adds what this life measured, unless it has yet to begin.
    async fn collect(&self) {
        let Some(address) = self.address() else { return };
        let Ok(text) = http::text(&format!("http://{address}/metrics")).await else { return };
        let series = text.lines().filter_map(|line| line.split_once(' '));
        let durations = series.filter(|(name, _)| {
            name.starts_with("eaiser_mongodb_failover_") || name.starts_with("eaiser_operator_step_duration_")
        });
        let mut state = self.state.lock().unwrap();
        for (name, value) in durations {
            *state.measured.entry(name.to_owned()).or_default() += value.parse::<f64>().unwrap();
        }
    }
}
