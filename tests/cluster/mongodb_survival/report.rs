//! What a run showed, as a table and as a file.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::lab;
use crate::support::writer::round;

/// One thing done to the set.
#[derive(Debug)]
pub struct Phase {
    pub name: String,
    /// Until the set was whole again.
    pub took: Duration,
    /// The longest time without an acknowledged write.
    pub unwritable: Duration,
    /// Acceptance bound of that.
    pub bound: Option<Duration>,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = self.bound.map(|bound| format!(" (bound {} s)", bound.as_secs())).unwrap_or_default();
        let (took, unwritable) = (self.took.as_secs_f64(), self.unwritable.as_secs_f64());
        write!(formatter, "{:<44} {took:>8.1} {unwritable:>10.2}{bound}", self.name)
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Report {
    pub phases: Vec<Phase>,
    /// Facts besides.
    pub facts: BTreeMap<String, Value>,
}

impl Report {
    /// Prints the table, writes the file, and names every bound that was missed.
    pub fn conclude(&self, file: &str) -> Vec<String> {
        println!("\n{:<44} {:>8} {:>10}", "phase", "took s", "no write s");
        for phase in &self.phases {
            println!("{phase}");
        }
        let quantiles = self.quantiles();
        for (bound, (count, median, longest)) in &quantiles {
            println!(
                "bound {bound} s: {count} times, p50 {median:.2} s, p100 {longest:.2} s without a write"
            );
        }
        for (name, value) in &self.facts {
            match value {
                Value::Array(lines) => {
                    println!("{name}:");
                    for line in lines {
                        println!("  {line}");
                    }
                }
                other => println!("{name}: {other}"),
            }
        }
        let rows = self.phases.iter().map(|phase| {
            json!({
                "phase": phase.name, "seconds": round(phase.took), "unwritableSeconds": round(phase.unwritable),
                "boundSeconds": phase.bound.map(|bound| bound.as_secs()),
            })
        });
        let quantiles = quantiles.iter().map(|(bound, (count, median, longest))| {
            json!({"boundSeconds": bound, "count": count, "p50": median, "p100": longest})
        });
        let document = json!({
            "phases": rows.collect::<Vec<_>>(),
            "unwritable": quantiles.collect::<Vec<_>>(),
            "facts": self.facts,
        });
        let directory = lab::target().join("measurements");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(file), serde_json::to_string_pretty(&document).unwrap()).unwrap();
        let missed =
            self.phases.iter().filter(|phase| phase.bound.is_some_and(|bound| phase.unwritable > bound));
        missed.map(ToString::to_string).collect()
    }

    /// By bound in seconds: how many phases, the median and the longest time without a write.
    fn quantiles(&self) -> BTreeMap<u64, (usize, f64, f64)> {
        let mut by_bound: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for phase in &self.phases {
            if let Some(bound) = phase.bound {
                by_bound.entry(bound.as_secs()).or_default().push(round(phase.unwritable));
            }
        }
        let quantiles = by_bound.into_iter().map(|(bound, mut times)| {
            times.sort_by(f64::total_cmp);
            (bound, (times.len(), times[(times.len() - 1) / 2], times[times.len() - 1]))
        });
        quantiles.collect()
    }
}
