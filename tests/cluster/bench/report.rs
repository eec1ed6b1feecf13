//! The table on the terminal and the JSON beside it.

use std::fmt::Display;

use comfy_table::Table;
use serde_json::{Map, Value, json};

use crate::support::lab;

/// One measured figure beside its goal.
pub struct Figure {
    /// What was measured, with its unit.
    pub what: String,
    /// The figure.
    pub value: String,
    /// What the design page asks for.
    pub goal: &'static str,
}

impl Figure {
    /// A figure without a goal of its own.
    pub fn plain(what: &str, value: impl Display) -> Self {
        Self { what: what.to_owned(), value: value.to_string(), goal: "" }
    }

    /// A figure with its goal.
    pub fn with_goal(what: &str, value: impl Display, goal: &'static str) -> Self {
        Self { goal, ..Self::plain(what, value) }
    }
}

/// Figures of one measurement, and the numbers they were made from.
pub type Measured = (Vec<Figure>, Value);

/// Everything measured so far.
pub struct Report {
    table: Table,
    raw: Map<String, Value>,
}

impl Report {
    /// Nothing measured yet.
    pub fn new() -> Self {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["measured", "figure", "value", "goal"]);
        Self { table, raw: Map::new() }
    }

    /// Adds a measurement and says so at once, since the whole takes minutes.
    pub fn add(&mut self, name: &str, (figures, raw): Measured) {
        for figure in figures {
            println!("  {name}: {}: {}", figure.what, figure.value);
            self.table.add_row([name, &figure.what, &figure.value, figure.goal]);
        }
        self.raw.insert(name.to_owned(), raw);
    }

    /// Prints the table and writes the JSON.
    pub fn write(&self, about: &Value) {
        let path = lab::target().join("measurements/bench.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let document = json!({"about": about, "measurements": self.raw});
        std::fs::write(&path, serde_json::to_string_pretty(&document).unwrap()).unwrap();
        println!("\n{}\nraw numbers: {}", self.table, path.display());
    }
}
