//! Whether some Prometheus takes up the cluster's rules and monitor. Pure.
//!
//! Namespaces are judged by their name alone, which is a label of every namespace: the right to read
//! all namespaces would be much for a hint. Where a selector asks for more, nothing is claimed.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};

use super::condition::{Verdict, reason};
use crate::desired::kinds::Prometheus;
use crate::desired::monitoring;
use crate::names::selector_text;
use crate::plan::Plan;
use crate::snapshot::{Prometheuses, Sight, Snapshot};

/// Label of a namespace's own name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// What one Prometheus makes of an object of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Takes,
    Passes,
    Unknown,
}

/// One of the two kinds it must take up, and how it chooses.
struct Kind {
    name: &'static str,
    labels: fn(&Prometheus) -> Option<&LabelSelector>,
    namespaces: fn(&Prometheus) -> Option<&LabelSelector>,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "PrometheusRule",
        labels: |prometheus| prometheus.spec.rule_selector.as_ref(),
        namespaces: |prometheus| prometheus.spec.rule_namespace_selector.as_ref(),
    },
    Kind {
        name: "ServiceMonitor",
        labels: |prometheus| prometheus.spec.service_monitor_selector.as_ref(),
        namespaces: |prometheus| prometheus.spec.service_monitor_namespace_selector.as_ref(),
    },
];

/// The rules are applied; whether somebody reads them.
pub(super) fn verdict(plan: &Plan, snapshot: &Snapshot) -> Verdict {
    let name = plan.identity.monitoring_rules();
    let applied = |rest: String| {
        Verdict::on(reason::RULES_APPLIED, format!("rules are in PrometheusRule {name}; {rest}"))
    };
    let seen = &snapshot.prometheuses;
    let labels = monitoring::labels(plan);
    let mut takers = Vec::new();
    for kind in &KINDS {
        if kind.name == "ServiceMonitor" && !snapshot.served.service_monitors {
            continue;
        }
        let choice = |prometheus: &Prometheus| choice(kind, prometheus, &plan.identity.namespace, &labels);
        if let Some(taker) = seen.known.iter().find(|one| choice(one) == Choice::Takes) {
            takers.push(format!("{} by Prometheus {}", kind.name, name_of(taker)));
            continue;
        }
        let undecided = seen.known.iter().any(|one| choice(one) == Choice::Unknown);
        let first = seen.known.first().filter(|_| !undecided && seen.sight == Sight::Everywhere);
        let Some(first) = first else {
            return applied(format!(
                "whether a Prometheus selects the {} is not judged: {}",
                kind.name,
                why(seen)
            ));
        };
        return Verdict::off(reason::NOT_SELECTED, complaint(kind, first, &plan.identity.namespace));
    }
    applied(format!("selected: {}", takers.join(", ")))
}

fn why(seen: &Prometheuses) -> &'static str {
    match seen.sight {
        Sight::None => "no Prometheus object can be read",
        Sight::Namespace => "the operator sees those of its own namespace only",
        // Other collectors read these kinds too, and have no such object.
        Sight::Everywhere if seen.known.is_empty() => "there is no Prometheus object",
        Sight::Everywhere => "one selects namespaces by labels that the operator does not read",
    }
}

/// What is said of the first one: rarely are there more.
fn complaint(kind: &Kind, first: &Prometheus, namespace: &str) -> String {
    let who = name_of(first);
    if namespace_choice((kind.namespaces)(first), first, namespace) == Choice::Passes {
        return format!("Prometheus {who} does not look for a {} in namespace {namespace}", kind.name);
    }
    let Some(selector) = (kind.labels)(first) else {
        return format!("Prometheus {who} selects no {} at all: its selector is absent", kind.name);
    };
    let wanted = text(selector);
    format!(
        "Prometheus {who} selects a {} by {wanted}; set spec.monitoring.ruleLabels accordingly",
        kind.name
    )
}

fn name_of(prometheus: &Prometheus) -> String {
    format!("{}/{}", prometheus.namespace().unwrap_or_default(), prometheus.name_any())
}

/// As people write selectors.
fn text(selector: &LabelSelector) -> String {
    match Selector::try_from(selector.clone()) {
        Ok(parsed) if selector.match_expressions.iter().flatten().next().is_some() => parsed.to_string(),
        _ => selector_text(selector.match_labels.as_ref().unwrap_or(&BTreeMap::new())),
    }
}

fn choice(
    kind: &Kind,
    prometheus: &Prometheus,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Choice {
    let by_labels = (kind.labels)(prometheus).map_or(Choice::Passes, |selector| fits(selector, labels));
    match (by_labels, namespace_choice((kind.namespaces)(prometheus), prometheus, namespace)) {
        (Choice::Passes, _) | (_, Choice::Passes) => Choice::Passes,
        (Choice::Takes, Choice::Takes) => Choice::Takes,
        _ => Choice::Unknown,
    }
}

fn namespace_choice(selector: Option<&LabelSelector>, prometheus: &Prometheus, namespace: &str) -> Choice {
    let Some(selector) = selector else {
        let own = prometheus.namespace().as_deref() == Some(namespace);
        return if own { Choice::Takes } else { Choice::Passes };
    };
    let keys = selector.match_labels.iter().flat_map(BTreeMap::keys);
    let expressions = selector.match_expressions.iter().flatten().map(|expression| &expression.key);
    if keys.chain(expressions).any(|key| key != NAMESPACE_NAME) {
        return Choice::Unknown;
    }
    fits(selector, &[(NAMESPACE_NAME.to_owned(), namespace.to_owned())].into())
}

fn fits(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> Choice {
    match Selector::try_from(selector.clone()) {
        Ok(selector) if selector.matches(labels) => Choice::Takes,
        Ok(_) => Choice::Passes,
        Err(_) => Choice::Unknown,
    }
}
