//! The dashboard: one for every cluster, with variables, because a dashboard for each of hundreds
//! would bury the others in a Grafana and cost the operator their memory. Pure.

pub mod grafana;
mod panels;

use grafana::{
    Dashboard, DataSource, FieldConfig, FieldDefaults, GridPosition, Panel, Target, Templating, TimeRange,
    Variable,
};

/// Columns of the grid.
const COLUMNS: usize = 24;
/// Lines of a panel.
const HEIGHT: usize = 7;

/// A row of panels, side by side.
struct Row {
    title: &'static str,
    panels: Vec<Draft>,
}

/// A panel before it has its number and place.
struct Draft {
    type_: &'static str,
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    queries: Vec<(String, &'static str)>,
}

/// The dashboard.
pub fn dashboard() -> Dashboard {
    Dashboard {
        uid: "eaisercluster",
        title: "EaiserCluster",
        tags: ["eaiser"],
        schema_version: 39,
        editable: true,
        refresh: "30s",
        time: TimeRange { from: "now-6h", to: "now" },
        templating: Templating { list: variables() },
        panels: placed(panels::rows()),
    }
}

/// Its JSON, as the chart's ConfigMap holds it.
pub fn json() -> String {
    // Strings and numbers only, so serialization cannot fail.
    let mut text = serde_json::to_string_pretty(&dashboard()).unwrap_or_default();
    text.push('\n');
    text
}

fn variables() -> Vec<Variable> {
    let known = r#"slo:objective:ratio{eaisercluster!=""}"#;
    let chosen = r#"slo:objective:ratio{namespace="$namespace"}"#;
    let query = |name, query| Variable {
        name,
        type_: "query",
        query,
        datasource: Some(data_source()),
        refresh: 2,
        sort: 1,
    };
    vec![
        Variable {
            name: "datasource",
            type_: "datasource",
            query: "prometheus".to_owned(),
            datasource: None,
            refresh: 1,
            sort: 1,
        },
        query("namespace", format!("label_values({known}, namespace)")),
        query("cluster", format!("label_values({chosen}, eaisercluster)")),
    ]
}

fn data_source() -> DataSource {
    DataSource { type_: "prometheus", uid: "${datasource}" }
}

/// Gives each row a line of its own and its panels equal widths below it.
fn placed(rows: Vec<Row>) -> Vec<Panel> {
    let mut panels = Vec::new();
    let mut y = 0;
    for row in rows {
        let width = COLUMNS / row.panels.len().max(1);
        panels.push(Panel {
            id: panels.len() + 1,
            type_: "row",
            title: row.title,
            description: "",
            grid_pos: GridPosition { x: 0, y, w: COLUMNS, h: 1 },
            datasource: None,
            field_config: None,
            targets: Vec::new(),
        });
        for (index, draft) in row.panels.into_iter().enumerate() {
            let place = GridPosition { x: index * width, y: y + 1, w: width, h: HEIGHT };
            panels.push(panel(panels.len() + 1, place, draft));
        }
        y += 1 + HEIGHT;
    }
    panels
}

fn panel(id: usize, grid_pos: GridPosition, draft: Draft) -> Panel {
    let letters = 'A'..='Z';
    let target = |(letter, (expr, legend_format)): (char, (String, &'static str))| Target {
        ref_id: letter.to_string(),
        expr,
        legend_format,
    };
    // A budget may be overdrawn and head-room lost; nothing else is ever below zero.
    let min = (!matches!(draft.unit, "percentunit" | "percent")).then_some(0);
    Panel {
        id,
        type_: draft.type_,
        title: draft.title,
        description: draft.description,
        grid_pos,
        datasource: Some(data_source()),
        field_config: Some(FieldConfig { defaults: FieldDefaults { unit: draft.unit, min }, overrides: [] }),
        targets: letters.zip(draft.queries).map(target).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_panel_covers_another_or_leaves_the_grid() {
        let places: Vec<GridPosition> = dashboard().panels.iter().map(|panel| panel.grid_pos).collect();
        for (index, one) in places.iter().enumerate() {
            assert!(one.x + one.w <= COLUMNS, "{one:?} leaves the grid");
            for other in &places[index + 1..] {
                let apart = one.x + one.w <= other.x
                    || other.x + other.w <= one.x
                    || one.y + one.h <= other.y
                    || other.y + other.h <= one.y;
                assert!(apart, "{one:?} covers {other:?}");
            }
        }
    }

    #[test]
    fn every_panel_has_a_number_of_its_own_a_meaning_and_a_query() {
        for (index, panel) in dashboard().panels.iter().enumerate() {
            assert_eq!(panel.id, index + 1);
            if panel.type_ != "row" {
                assert!(!panel.description.is_empty(), "{} explains nothing", panel.title);
                assert!(!panel.targets.is_empty(), "{} asks nothing", panel.title);
            }
        }
    }
}
