//! README and docs held against the code: tables, flags, links.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_eaiser")).args(arguments).env_clear().output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn page(name: &str) -> String {
    fs::read_to_string(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every `--flag` of a text.
fn flags(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = text.split(|c: char| !is_part(c));
    words.filter(|word| word.starts_with("--") && word.len() > 3).map(str::to_owned).collect()
}

#[test]
fn the_field_reference_is_what_the_custom_resource_says() {
    assert!(help(&["fields"]) == page("docs/fields.md"), "docs/fields.md has drifted: run `make docs`");
}

#[test]
fn the_command_page_names_every_flag_and_no_other() {
    let mut real = flags(&help(&["--help"]));
    for command in ["plan", "simulate", "calibrate", "status", "operator"] {
        let flags_of_it = flags(&help(&[command, "--help"]));
        assert!(flags_of_it.len() >= 3, "{command} has flags: {flags_of_it:?}");
        real.extend(flags_of_it);
    }
    // `kubectl apply --server-side` in an example.
    real.remove("--server-side");
    let mut documented = flags(&page("docs/cli.md"));
    documented.remove("--server-side");
    documented.extend(["--help".to_owned(), "--version".to_owned()]);
    real.extend(["--help".to_owned(), "--version".to_owned()]);
    assert_eq!(real, documented);
}

#[test]
fn the_command_page_has_the_exit_codes_of_the_help() {
    let page = page("docs/cli.md");
    for (command, code) in [("plan", "2"), ("status", "3")] {
        assert!(help(&[command, "--help"]).contains("Exit codes: 0"), "{command}");
        assert!(page.contains(&format!("| `eaiser {command}")), "{command} has a row");
        assert!(page.contains(&format!("**{code}**")), "exit code {code} of {command}");
    }
}

/// Reasons as the source lists them.
fn reasons() -> BTreeSet<String> {
    let source = page("src/status/condition.rs");
    let module = source.split("pub mod reason {").nth(1).unwrap().split("\n}").next().unwrap();
    let values = module.lines().filter(|line| line.contains("pub const"));
    values.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn every_reason_is_explained_among_the_failures_or_listed_as_harmless() {
    let text = page("docs/troubleshooting.md");
    let missing: Vec<String> =
        reasons().into_iter().filter(|reason| !text.contains(&format!("`{reason}`"))).collect();
    assert!(missing.is_empty(), "not in docs/troubleshooting.md: {missing:?}");
}

#[test]
fn every_reason_that_the_failure_table_starts_a_row_with_exists() {
    let known = reasons();
    let text = page("docs/troubleshooting.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rows: Vec<&str> = rows.filter(|word| word.chars().all(|c| c.is_ascii_alphanumeric())).collect();
    assert!(rows.len() > 15, "{rows:?}");
    let unknown: Vec<&&str> = rows.iter().filter(|reason| !known.contains(**reason)).collect();
    assert!(unknown.is_empty(), "no such reason: {unknown:?}");
}

/// One rule of the chart's role as the table writes it.
fn rules_of_the_chart() -> Vec<(String, String)> {
    let text = page("charts/eaiser-operator/templates/rbac.yaml");
    let list = |line: &str| {
        let inner = line.split('[').nth(1).unwrap().split(']').next().unwrap();
        inner.split(", ").map(str::to_owned).collect::<Vec<_>>()
    };
    let mut rules = Vec::new();
    let mut resources = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("resources:") {
            resources = list(line).iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
        } else if line.starts_with("verbs:") {
            rules.push((resources.clone(), list(line).join(", ")));
        }
    }
    rules
}

#[test]
fn the_table_of_rights_is_the_role_of_the_chart() {
    let text = page("docs/security.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let rules = rules_of_the_chart();
    assert!(rules.len() >= 12, "{rules:?}");
    for (resources, verbs) in &rules {
        let wanted = format!("| {resources} | {verbs} |");
        assert!(rows.iter().any(|row| row.starts_with(&wanted)), "docs/security.md has no row {wanted}");
    }
    assert_eq!(rows.len(), rules.len(), "every row is a rule: {rows:#?}");
}

/// Paths of links `](…)` that lead into the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .map(|target| target.split('#').next().unwrap_or(target))
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![PathBuf::from("README.md"), PathBuf::from("tests/lab/README.md")];
    for folder in ["docs", "docs/runbooks"] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

#[test]
fn every_link_into_the_repository_leads_to_a_file() {
    let mut broken = Vec::new();
    for path in pages() {
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        for link in links(&page(path.to_str().unwrap())) {
            if !folder.join(link).exists() {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_readme_is_read_in_one_sitting_and_leads_to_every_page() {
    let readme = page("README.md");
    assert!(readme.lines().count() <= 150, "{} lines", readme.lines().count());
    for path in fs::read_dir("docs").unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.to_str().unwrap();
        assert!(path.is_dir() || readme.contains(name), "README.md does not lead to {name}");
    }
}

#[test]
fn every_make_target_that_a_page_names_exists() {
    let makefile = page("Makefile");
    for path in pages() {
        let text = page(path.to_str().unwrap());
        for target in text.split("`make ").skip(1).filter_map(|rest| rest.split(['`', ' ']).next()) {
            assert!(makefile.contains(&format!("\n{target}:")), "{}: make {target}", path.display());
        }
    }
}
