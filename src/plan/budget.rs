//! The connection budget: what the API may open against a store without exhausting it.
//!
//! instances · 1.25 (surge of a rollout) · workers · (pool + overhead) ≤ budget of one store node.

use super::Problem;

/// Extra instances that exist for a moment while the API rolls (`maxSurge` 25 %).
const SURGE_NUMERATOR: i64 = 5;
const SURGE_DENOMINATOR: i64 = 4;
/// Below this many pooled connections a worker spends its time waiting for one.
const SMALLEST_POOL: i64 = 5;

/// One store's side of the budget.
#[derive(Clone, Copy, Debug)]
pub struct StoreBudget {
    /// Product name for messages.
    pub store: &'static str,
    /// Spec field whose rise enlarges the budget.
    pub field: &'static str,
    /// Connections one node may hold for the API.
    pub connections: i64,
    /// Connections each worker opens besides its pool.
    pub overhead: i64,
    /// Largest useful pool.
    pub largest_pool: i64,
    /// Memory one connection is reckoned at, in KiB; turns missing connections into memory.
    pub kibibytes_per_connection: i64,
}

/// Most instances that can exist at once while `replicas` roll.
pub fn instances_during_rollout(replicas: i64) -> i64 {
    (replicas * SURGE_NUMERATOR + SURGE_DENOMINATOR - 1) / SURGE_DENOMINATOR
}

/// Pool size per worker, or a problem that names the three ways out.
pub fn pool_size(budget: StoreBudget, replicas: i64, workers: i64, problems: &mut Vec<Problem>) -> i64 {
    let instances = instances_during_rollout(replicas);
    let fits = budget.connections / (instances * workers) - budget.overhead;
    if fits < SMALLEST_POOL {
        let needed = instances * workers * (SMALLEST_POOL + budget.overhead);
        let missing_mebibytes =
            ((needed - budget.connections) * budget.kibibytes_per_connection * 4 + 1023) / 1024;
        let affordable = budget.connections * SURGE_DENOMINATOR
            / (workers * (SMALLEST_POOL + budget.overhead) * SURGE_NUMERATOR);
        let StoreBudget { store, field, connections, .. } = budget;
        problems.push(Problem::new(
            field,
            format!(
                "{instances} API instances (rollout surge included) with {workers} workers each need {needed} {store} connections, but one node may hold {connections}: raise {field} by {missing_mebibytes}Mi, lower spec.api.maxReplicas to {affordable}, or lower spec.api.workers"
            ),
        ));
    }
    fits.clamp(SMALLEST_POOL, budget.largest_pool)
}
