//! A comparison as people read it.

use std::fmt::Write;

use anstyle::Style;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::comparison::Comparison;
use crate::apply::difference::FieldChange;
use crate::apply::preview::{Action, HIDDEN, ObjectChange};
use crate::cli::text::{BAD, FAINT, GOOD, STRONG, UNDER_WAY, paint, shorten, wrap};

/// Unchanged lines around a changed one in a file.
const CONTEXT: usize = 1;
/// Longer paths do not push the values of the others to the right.
const ALIGNED: usize = 48;
/// Characters shown before the first difference of a text that is too long.
const LEAD: usize = 24;
/// Most lines shown of one file.
const LINES: usize = 40;

/// Renders it for `width` columns.
pub(super) fn render(comparison: &Comparison, width: usize) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", headline(comparison, width));
    fields(&mut text, "\nSpec", &comparison.spec, width);
    fields(&mut text, "\nDerived numbers", &comparison.derived, width);
    if !comparison.objects.is_empty() {
        let _ = writeln!(text, "\n{}", paint(STRONG, "Objects"));
    }
    for change in &comparison.objects {
        object(&mut text, change, width);
    }
    if !comparison.restarts.is_empty() {
        let _ = writeln!(text, "\n{}", paint(STRONG, "Restarts"));
    }
    for restart in &comparison.restarts {
        let count = restart.pods.len();
        let pods = if count == 1 { "pod" } else { "pods" };
        let _ = writeln!(text, "  {} {}: {count} {pods}", paint(UNDER_WAY, "↻"), restart.workload);
        for line in [&restart.why, &restart.order, &restart.pods.join(" ")] {
            let _ = writeln!(text, "      {}", wrap(line, width - 6, 6));
        }
    }
    for (index, note) in comparison.notes.iter().enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}{} {}", paint(STRONG, "Note:"), wrap(note, width - 6, 6));
    }
    text
}

fn headline(comparison: &Comparison, width: usize) -> String {
    let name = format!("EaiserCluster {}/{}", comparison.namespace, comparison.name);
    let new = if comparison.exists { "" } else { " does not exist yet" };
    if !comparison.has_changes() {
        return wrap(
            &format!("{name}: nothing would change ({} objects are as they should be)", comparison.unchanged),
            width,
            2,
        );
    }
    let restarted: usize = comparison.restarts.iter().map(|restart| restart.pods.len()).sum();
    let counts = [
        (comparison.count(Action::Create), "to create"),
        (comparison.count(Action::Change), "to change"),
        (comparison.count(Action::Recreate), "to make anew"),
        (comparison.count(Action::Delete), "to delete"),
        (comparison.count(Action::Immutable), "that cannot be changed"),
        (comparison.count(Action::Foreign), "in the way"),
        (comparison.count(Action::Leftover), "being deleted"),
        (comparison.unchanged, "unchanged"),
        (restarted, "pods to restart"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let counts: Vec<String> = counts.collect();
    format!("{}{new}\n{}", paint(STRONG, &name), wrap(&counts.join(", "), width, 2))
}

fn fields(text: &mut String, heading: &str, changes: &[FieldChange], width: usize) {
    if !changes.is_empty() {
        let _ = writeln!(text, "{}", paint(STRONG, heading));
        list(text, changes, width, 2);
    }
}

/// Fields below each other, their values aligned.
fn list(text: &mut String, changes: &[FieldChange], width: usize, indent: usize) {
    let columns = |change: &FieldChange| change.path.chars().count();
    let widest = changes.iter().map(columns).filter(|columns| *columns <= ALIGNED).max().unwrap_or(0);
    for change in changes {
        field(text, change, width, (indent, widest));
    }
}

fn object(text: &mut String, change: &ObjectChange, width: usize) {
    let (sign, style, remark): (&str, Style, &str) = match change.action {
        Action::Create => ("+", GOOD, ""),
        Action::Change if change.fields.is_empty() => {
            ("~", UNDER_WAY, " is applied again: only the record of what was rendered changes")
        }
        Action::Change => ("~", UNDER_WAY, ""),
        Action::Recreate => ("±", UNDER_WAY, " is made anew: a field of it cannot be changed in place"),
        Action::Immutable => (
            "!",
            BAD,
            " cannot be changed in place and is left as it is: making it anew would lose something",
        ),
        Action::Delete => ("-", BAD, ""),
        Action::Foreign => {
            ("!", BAD, " exists and is not this cluster's: it is left untouched and in the way")
        }
        Action::Leftover => {
            ("!", BAD, " of an earlier cluster of this name is still there: it is waited for")
        }
    };
    let label = format!("{}/{}{remark}", change.kind, change.name);
    let _ = writeln!(text, "  {} {}", paint(style, sign), wrap(&label, width - 4, 4));
    list(text, &change.fields, width, 6);
}

/// Beside its path where both values fit, below it where they do not.
fn field(text: &mut String, change: &FieldChange, width: usize, (indent, aligned): (usize, usize)) {
    let blanks = " ".repeat(indent);
    let (old, new) = (plain(change.old.as_ref()), plain(change.new.as_ref()));
    let path = &change.path;
    if old.contains('\n') || new.contains('\n') {
        let _ = writeln!(text, "{blanks}{path}");
        file(text, &old, &new, width, indent + 2);
        return;
    }
    let both = if old == HIDDEN && new == HIDDEN {
        "changed (hidden)".to_owned()
    } else {
        format!("{old} → {new}")
    };
    let columns = both.chars().count();
    let beside = |aligned: usize| indent + path.chars().count().max(aligned) + 2 + columns <= width;
    if beside(0) {
        let aligned = if beside(aligned) { aligned } else { 0 };
        let _ = writeln!(text, "{blanks}{path:aligned$}  {both}");
    } else if indent + 2 + columns <= width {
        let _ = writeln!(text, "{blanks}{path}\n{blanks}  {both}");
    } else {
        let room = width.saturating_sub(indent + 4);
        let _ = writeln!(
            text,
            "{blanks}{path}\n{blanks}  {}\n{blanks}  {}",
            paint(BAD, &format!("- {}", window(&old, &new, room))),
            paint(GOOD, &format!("+ {}", window(&new, &old, room)))
        );
    }
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// As much of a text as there is room for, from shortly before it begins to differ from `other`.
fn window(text: &str, other: &str, room: usize) -> String {
    let same = text.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    if text.chars().count() <= room || same + LEAD < room {
        return shorten(text, room);
    }
    let from = same.saturating_sub(LEAD);
    let rest: String = text.chars().skip(from).collect();
    format!("…{}", shorten(&rest, room.saturating_sub(1)))
}

/// The changed lines of a file with their surroundings.
fn file(text: &mut String, old: &str, new: &str, width: usize, indent: usize) {
    let difference = TextDiff::from_lines(old, new);
    let mut shown = 0;
    for (index, group) in difference.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            let _ = writeln!(text, "{}{}", " ".repeat(indent), paint(FAINT, "…"));
        }
        for operation in group {
            let changes: Vec<_> = difference.iter_changes(operation).collect();
            for (index, change) in changes.iter().enumerate() {
                shown += 1;
                if shown > LINES {
                    continue;
                }
                // In a replacement of n lines by n, each has its counterpart n further on or back.
                let other = if change.tag() == ChangeTag::Delete {
                    index.checked_add(operation.old_range().len())
                } else {
                    index.checked_sub(operation.old_range().len())
                };
                let other = other.and_then(|other| changes.get(other)).map_or("", |other| other.value());
                let (sign, style) = match change.tag() {
                    ChangeTag::Delete => ("-", BAD),
                    ChangeTag::Insert => ("+", GOOD),
                    ChangeTag::Equal => (" ", FAINT),
                };
                let line = window(change.value().trim_end_matches('\n'), other, width - indent - 2);
                let _ = writeln!(text, "{}{}", " ".repeat(indent), paint(style, &format!("{sign} {line}")));
            }
        }
    }
    if shown > LINES {
        let _ =
            writeln!(text, "{}… {} more lines; `-o json` has them all", " ".repeat(indent), shown - LINES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_long_texts_the_part_that_differs_is_shown() {
        let (old, new) =
            (format!("{}image:1", "registry/".repeat(20)), format!("{}image:2", "registry/".repeat(20)));
        let shown = window(&old, &new, 40);
        assert!(shown.starts_with('…') && shown.ends_with("image:1"), "{shown}");
        assert!(shown.chars().count() <= 40, "{shown}");
    }

    #[test]
    fn a_text_that_fits_is_shown_whole() {
        assert_eq!(window("image:1", "image:2", 40), "image:1");
    }
}
