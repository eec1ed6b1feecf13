//! The screen and the table. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::Style;
use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::overview::{EventView, Overview, TierView};
use super::pods::PodView;
use crate::cli::text::{BAD, FAINT, GOOD, STRONG, UNDER_WAY, cell, paint, shorten, wrap};

/// Pods of one tier that get a line each; more are summed up, those that are not ready first.
const PODS: usize = 8;
/// Lines of one condition; `-o json` has it in full.
const CONDITION_LINES: usize = 3;
/// Events shown.
const EVENTS: usize = 4;
/// Seconds after which an event is not recent any more.
const RECENT: i64 = 3600;
/// Columns of restarts and age.
const RESTARTS: usize = 5;
const AGE: usize = 5;
/// Columns before what follows a heading.
const HEADING: usize = 11;

/// Draws one cluster for `width` columns.
pub(super) fn draw(overview: &Overview, width: usize) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let name = format!("EaiserCluster {}/{}", overview.namespace, overview.name);
    let phase = paint(phase_style(overview), &overview.phase);
    let _ = writeln!(text, "{}  {phase}  {}", paint(STRONG, &name), paint(FAINT, &age(overview.age_seconds)));
    let _ = writeln!(text, "{}", wrap(&overview.message, width, 0));
    for note in &overview.notes {
        let _ = writeln!(text, "{}", paint(UNDER_WAY, &wrap(&format!("! {note}"), width, 2)));
    }
    capacity(&mut text, overview, width);
    let pods: Vec<&PodView> = overview.tiers.iter().flat_map(|tier| visible(&tier.pods).0).collect();
    let columns = Columns::of(&pods, width);
    for tier in &overview.tiers {
        draw_tier(&mut text, tier, overview, (width, &columns));
    }
    conditions(&mut text, overview, width);
    events(&mut text, &overview.events, width);
    text.trim_end().to_owned()
}

fn phase_style(overview: &Overview) -> Style {
    match overview.phase.as_str() {
        "Ready" if overview.ready => GOOD,
        "Degraded" | "Invalid" | "Unseen" => BAD,
        _ => UNDER_WAY,
    }
}

fn heading(text: &str) -> String {
    paint(STRONG, &cell(text, HEADING))
}

fn capacity(text: &mut String, overview: &Overview, width: usize) {
    let Some(capacity) = &overview.capacity else { return };
    let line = format!(
        "{} users · {} to {} API instances · bound by {} · headroom {} %",
        overview.users,
        capacity.min_replicas,
        capacity.max_replicas,
        capacity.binding,
        capacity.headroom_percent
    );
    let _ = writeln!(text, "\n{}{}", heading("CAPACITY"), wrap(&line, width - HEADING, HEADING));
    let constraints = capacity.constraints.iter();
    let constraints: Vec<String> =
        constraints.map(|constraint| format!("{} {}", constraint.name, constraint.replicas)).collect();
    let line = format!("instances by constraint: {}", constraints.join(", "));
    let blanks = " ".repeat(HEADING);
    let _ = writeln!(text, "{blanks}{}", paint(FAINT, &wrap(&line, width - HEADING, HEADING)));
}

fn draw_tier(text: &mut String, tier: &TierView, overview: &Overview, (width, columns): (usize, &Columns)) {
    let wanted = tier.wanted.map_or_else(String::new, |wanted| format!("/{wanted}"));
    let complete = tier.wanted.is_none_or(|wanted| tier.ready >= wanted);
    let mut facts = vec![format!("{}{wanted} ready", tier.ready)];
    if let Some(allowed) = tier.disruptions_allowed {
        facts.push(if allowed == 0 {
            "none may be evicted".to_owned()
        } else {
            format!("{allowed} may be evicted")
        });
    }
    facts.extend(where_to_reach(&tier.tier, overview));
    let facts = wrap(&facts.join(" · "), width - HEADING, HEADING);
    let facts = if complete { facts } else { paint(UNDER_WAY, &facts) };
    let _ = writeln!(text, "\n{}{facts}", heading(&tier.tier.to_uppercase()));
    let (shown, hidden) = visible(&tier.pods);
    for pod in shown {
        columns.line(text, pod);
    }
    if !hidden.is_empty() {
        let _ = writeln!(text, "  {}", paint(FAINT, &summed_up(&hidden)));
    }
}

fn where_to_reach(tier: &str, overview: &Overview) -> Option<String> {
    let endpoints = overview.endpoints.as_ref()?;
    match tier {
        "gateway" => Some(endpoints.gateway.clone()),
        "mongodb" => Some(format!("Secret {}, key uri", endpoints.mongodb_secret)),
        "redis" => Some(format!("Secret {}, key url", endpoints.redis_secret)),
        _ => None,
    }
}

/// All, or those that are not ready first and as many of the others as there is room for.
fn visible(pods: &[PodView]) -> (Vec<&PodView>, Vec<&PodView>) {
    let mut ordered: Vec<&PodView> = pods.iter().collect();
    if ordered.len() <= PODS {
        return (ordered, Vec::new());
    }
    ordered.sort_by_key(|pod| pod.ready);
    let hidden = ordered.split_off(PODS - 1);
    (ordered, hidden)
}

fn summed_up(pods: &[&PodView]) -> String {
    let ready = pods.iter().filter(|pod| pod.ready).count();
    let nodes: BTreeSet<&str> = pods.iter().filter_map(|pod| pod.node.as_deref()).collect();
    let ready = if ready == pods.len() { "all ready".to_owned() } else { format!("{ready} of them ready") };
    format!("… {} more on {} nodes, {ready}", pods.len(), nodes.len())
}

/// Widths of the columns, the same for every tier.
struct Columns {
    name: usize,
    node: usize,
    state: usize,
    role: usize,
}

impl Columns {
    fn of(pods: &[&PodView], width: usize) -> Self {
        let widest =
            |text: fn(&PodView) -> &str| pods.iter().map(|pod| text(pod).chars().count()).max().unwrap_or(0);
        let state = widest(|pod| &pod.state);
        let fixed = 2 + state + RESTARTS + AGE + 4 * 2;
        let room = width.saturating_sub(fixed);
        let role = widest(|pod| pod.role.as_deref().unwrap_or_default());
        let name = widest(|pod| &pod.name).min(room);
        let node = widest(|pod| pod.node.as_deref().unwrap_or("-")).min(room.saturating_sub(name));
        Self { name, node, state, role: role.min(room.saturating_sub(name + node)) }
    }

    fn line(&self, text: &mut String, pod: &PodView) {
        let style = match pod.state.as_str() {
            "Ready" => GOOD,
            "NotReady" | "Starting" | "Terminating" => UNDER_WAY,
            _ => BAD,
        };
        let restarts = if pod.restarts == 0 { String::new() } else { format!("↻{}", pod.restarts) };
        let line = format!(
            "  {}  {}  {}  {}{}  {}",
            cell(&pod.name, self.name),
            cell(pod.node.as_deref().unwrap_or("-"), self.node),
            paint(style, &cell(&pod.state, self.state)),
            cell(&restarts, RESTARTS),
            cell(&age(pod.age_seconds), AGE),
            shorten(pod.role.as_deref().unwrap_or_default(), self.role),
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn conditions(text: &mut String, overview: &Overview, width: usize) {
    if overview.conditions.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", paint(STRONG, "CONDITIONS"));
    for view in &overview.conditions {
        let what = view.conditions.join(", ");
        // The headline says it already.
        let message = if view.message == overview.message { "see above" } else { &view.message };
        let line = shorten(&format!("{what} ({}): {message}", view.reason), CONDITION_LINES * (width - 4));
        let _ = writeln!(text, "  {}", wrap(&line, width - 4, 4));
    }
}

fn events(text: &mut String, events: &[EventView], width: usize) {
    let recent: Vec<&EventView> =
        events.iter().filter(|event| event.age_seconds <= RECENT).take(EVENTS).collect();
    if recent.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", paint(STRONG, "EVENTS"));
    for event in recent {
        let times = if event.count > 1 { format!(" ×{}", event.count) } else { String::new() };
        let object = event
            .object
            .strip_prefix("EaiserCluster/")
            .map_or_else(|| format!("{}: ", event.object), |_| String::new());
        let line = format!("{}{times}  {object}{}", event.reason, event.message.replace('\n', " "));
        let line = shorten(&line, width.saturating_sub(AGE + 3));
        let style = if event.warning { BAD } else { Style::new() };
        let _ =
            writeln!(text, "  {} {}", paint(FAINT, &cell(&age(event.age_seconds), AGE)), paint(style, &line));
    }
}

/// Several clusters, one line each.
pub(super) fn table(overviews: &[Overview], width: usize) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["NAMESPACE", "NAME", "PHASE", "API", "USERS", "AGE", "MESSAGE"]);
    for overview in overviews {
        table.add_row([
            overview.namespace.clone(),
            overview.name.clone(),
            overview.phase.clone(),
            overview.api.clone(),
            overview.users.to_string(),
            age(overview.age_seconds),
            overview.message.clone(),
        ]);
    }
    table.lines().map(|line| shorten(line.trim_end(), width)).collect::<Vec<_>>().join("\n")
}

/// `45s`, `12m`, `3h`, `2d`.
fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}
