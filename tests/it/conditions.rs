//! docs/conditions.md, held against the code both ways.

use std::collections::BTreeSet;
use std::fs;

/// First cells of the rows of the table whose head starts with `title`.
fn documented(title: &str) -> BTreeSet<String> {
    let text = fs::read_to_string("docs/conditions.md").unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with(&format!("| {title} |")));
    let cells = rows.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('`').nth(1));
    cells.map(str::to_owned).collect()
}

#[test]
fn every_reason_is_explained_and_no_other() {
    let source = fs::read_to_string("src/status/condition.rs").unwrap();
    let constants = source.lines().filter(|line| line.contains("pub const ") && line.contains(": &str = "));
    let reasons: BTreeSet<String> =
        constants.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect();
    assert!(reasons.len() > 30, "{reasons:?}");
    assert_eq!(documented("reason"), reasons);
}

/// The golden statuses show every condition at least once.
#[test]
fn every_condition_is_explained_and_no_other() {
    let mut types = BTreeSet::new();
    for entry in fs::read_dir("tests/it/snapshots").unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains("it__status__") {
            let text = fs::read_to_string(&path).unwrap();
            let object = text.splitn(3, "---\n").nth(2).unwrap();
            let object: serde_json::Value = serde_saphyr::from_str(object).unwrap();
            let conditions = object["status"]["conditions"].as_array().unwrap();
            types.extend(conditions.iter().map(|one| one["type"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(documented("condition"), types);
}
