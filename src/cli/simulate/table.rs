//! A simulated run as people read it.

use std::fmt::Write;

use super::Report;
use crate::cli::plan::right_aligned;
use crate::cli::plan::table::indent;
use crate::simulate::summary::Stretch;

/// Totals, phases, and the worst moments.
pub(super) fn render(report: &Report) -> String {
    let (totals, run) = (&report.totals, &report.run);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}, {} to {} instances\n", report.title, run.bounds.0, run.bounds.1);
    let _ = writeln!(
        text,
        "  requests    {} served, {} refused ({:.2} %)",
        thousands(totals.served),
        thousands(totals.refused),
        totals.refused_percent
    );
    let _ = writeln!(
        text,
        "  response    p95 {} at worst, for {:.0} ms at most",
        milliseconds(Some(totals.worst_p95_milliseconds)),
        run.objective_milliseconds
    );
    let _ = writeln!(
        text,
        "  objective   missed for {} of {}",
        clock_span(totals.seconds_beyond_objective),
        clock_span(totals.seconds)
    );
    let _ = writeln!(
        text,
        "  instances   {} to {}, {} times more, {} times fewer",
        totals.fewest_instances, totals.most_instances, totals.scale_ups, totals.scale_downs
    );
    let _ = writeln!(text, "  utilization {:.0} % at most", totals.highest_utilization * 100.0);
    let cost = totals.cost.map(|cost| format!(", cost {cost:.2}")).unwrap_or_default();
    let _ = writeln!(text, "  used        {:.1} instance-hours{cost}\n", totals.instance_hours);
    let _ = writeln!(text, "Phases\n{}\n", indent(&stretches(&report.phases)));
    if report.worst.is_empty() {
        let _ = writeln!(text, "No request was refused and p95 never left its objective.");
    } else {
        let _ = writeln!(text, "Worst moments\n{}", indent(&stretches(&report.worst)));
        let _ = writeln!(
            text,
            "\nRefused: more than {} requests at a time on each ready instance. p95 is of those let in.",
            report.max_in_flight
        );
    }
    text
}

fn stretches(stretches: &[Stretch]) -> comfy_table::Table {
    let mut table = right_aligned(&[
        "from",
        "to",
        "users",
        "instances",
        "fewest ready",
        "utilization",
        "p95",
        "refused",
        "",
    ]);
    for one in stretches {
        table.add_row([
            clock(one.from),
            clock(one.to),
            thousands(f64::from(one.users)),
            one.desired.to_string(),
            one.ready.to_string(),
            format!("{:.0} %", one.utilization * 100.0),
            milliseconds(one.p95_milliseconds),
            thousands(one.refused),
            if one.refused < 0.5 { String::new() } else { format!("{:.1} %", one.refused_percent()) },
        ]);
    }
    table
}

fn milliseconds(value: Option<f64>) -> String {
    match value {
        None => "no answer".to_owned(),
        Some(value) if value < 100.0 => format!("{value:.1} ms"),
        Some(value) => format!("{value:.0} ms"),
    }
}

/// 1:02:03 since the start.
pub(super) fn clock(second: u32) -> String {
    format!("{}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

fn clock_span(seconds: u32) -> String {
    if seconds < 120 { format!("{seconds} s") } else { clock(seconds) }
}

/// 1,234,567.
pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!([0.2, 999.0, 1000.0, 1_234_567.4].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 3723].map(clock), ["0:00:00", "1:02:03"]);
        assert_eq!([119, 120].map(clock_span), ["119 s", "0:02:00"]);
        assert_eq!(milliseconds(None), "no answer");
    }
}
