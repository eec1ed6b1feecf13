//! Grafana's dashboard model, as far as it is used here. Pure types.

use serde::Serialize;

/// A dashboard.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// Stable identity, also part of its address.
    pub uid: &'static str,
    /// Title.
    pub title: &'static str,
    /// For searches.
    pub tags: [&'static str; 1],
    /// Version of the model.
    pub schema_version: u32,
    /// Whether people may change their copy.
    pub editable: bool,
    /// How often it is read anew.
    pub refresh: &'static str,
    /// What it shows at first.
    pub time: TimeRange,
    /// Variables.
    pub templating: Templating,
    /// Rows and panels in order.
    pub panels: Vec<Panel>,
}

/// A span of time.
#[derive(Clone, Debug, Serialize)]
pub struct TimeRange {
    /// Start.
    pub from: &'static str,
    /// End.
    pub to: &'static str,
}

/// The variables of a dashboard.
#[derive(Clone, Debug, Serialize)]
pub struct Templating {
    /// In the order in which they depend on each other.
    pub list: Vec<Variable>,
}

/// A variable that the reader chooses.
#[derive(Clone, Debug, Serialize)]
pub struct Variable {
    /// Name, used as `$name`.
    pub name: &'static str,
    /// `datasource` or `query`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// The kind of data source, or the query for its values.
    pub query: String,
    /// Where the query is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datasource: Option<DataSource>,
    /// When the values are looked up: 1 on load, 2 on change of the time range.
    pub refresh: u8,
    /// 1: alphabetically.
    pub sort: u8,
}

/// A data source.
#[derive(Clone, Debug, Serialize)]
pub struct DataSource {
    /// Its kind.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// Its identity, here a variable.
    pub uid: &'static str,
}

/// A row's title, or a panel.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Panel {
    /// Unique number.
    pub id: usize,
    /// `row`, `stat` or `timeseries`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// Title.
    pub title: &'static str,
    /// What it means.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: &'static str,
    /// Place on the grid.
    pub grid_pos: GridPosition,
    /// Where its queries are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datasource: Option<DataSource>,
    /// Unit and limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_config: Option<FieldConfig>,
    /// Its queries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
}

/// A place on the grid of 24 columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GridPosition {
    /// Column.
    pub x: usize,
    /// Line.
    pub y: usize,
    /// Columns.
    pub w: usize,
    /// Lines.
    pub h: usize,
}

/// How values are shown.
#[derive(Clone, Debug, Serialize)]
pub struct FieldConfig {
    /// For every series.
    pub defaults: FieldDefaults,
    /// For single series: none.
    pub overrides: [(); 0],
}

/// How values are shown, for every series.
#[derive(Clone, Debug, Serialize)]
pub struct FieldDefaults {
    /// Unit, as Grafana names it.
    pub unit: &'static str,
    /// Where the axis begins at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
}

/// One query.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Letter.
    pub ref_id: String,
    /// `PromQL`.
    pub expr: String,
    /// Name of its series.
    pub legend_format: &'static str,
}
