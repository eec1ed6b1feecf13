//! Which conditions turned, as events tell it: once, and never again while nothing turns. Pure.

mod members;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::crd::EaiserClusterStatus;

/// One condition that turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Whether it turned for the worse.
    pub warning: bool,
    /// Reason of the condition, and of the event.
    pub reason: String,
    /// Its message; with the condition's type where that is not plain.
    pub note: String,
}

/// What a new cluster is taken to have been: not ready, in order, valid.
const BEFORE_THE_FIRST: [(&str, bool); 4] =
    [("Ready", false), ("Degraded", false), ("SpecValid", true), ("Paused", false)];
/// These conditions repeat others for tools that read only them.
const ECHOES: [&str; 3] = ["Progressing", "Reconciling", "Stalled"];

/// Every condition that turned between two statuses, and every member of the replica set that did. `Degraded` also turns when its reason does:
/// another thing fails.
pub fn between(before: Option<&EaiserClusterStatus>, after: &EaiserClusterStatus) -> Vec<News> {
    let mut told: Vec<News> = Vec::new();
    for condition in &after.conditions {
        let type_ = condition.type_.as_str();
        if ECHOES.contains(&type_) || !turned(before, condition) {
            continue;
        }
        let holds = condition.status == "True";
        let note = match type_ {
            "Ready" | "Degraded" | "SpecValid" | "Paused" => condition.message.clone(),
            tier if holds => format!("{tier}: {}", condition.message),
            tier => format!("{tier} no more: {}", condition.message),
        };
        let known =
            told.iter().any(|news| news.reason == condition.reason && news.note.contains(&condition.message));
        if !known {
            let warning = if type_ == "Degraded" { holds } else { !holds && type_ != "Paused" };
            told.push(News { warning, reason: condition.reason.clone(), note });
        }
    }
    told.extend(members::between(before, after));
    told
}

fn turned(before: Option<&EaiserClusterStatus>, after: &Condition) -> bool {
    let conditions = before.map_or(&[][..], |status| &status.conditions);
    match conditions.iter().find(|condition| condition.type_ == after.type_) {
        Some(before) => {
            let other_cause = after.type_ == "Degraded" && before.reason != after.reason;
            before.status != after.status || (other_cause && after.status == "True")
        }
        // A tier that appears is part of the first status, and no news.
        None => BEFORE_THE_FIRST
            .iter()
            .any(|(type_, held)| *type_ == after.type_ && (after.status == "True") != *held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Type Status Reason message` a line.
    fn status(lines: &str) -> EaiserClusterStatus {
        let condition = |line: &str| {
            let mut words = line.trim().splitn(4, ' ').map(str::to_owned);
            let mut word = || words.next().unwrap();
            let (type_, status, reason, message) = (word(), word(), word(), word());
            serde_json::from_value(serde_json::json!({
                "type": type_, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": "2026-11-24T08:00:00Z",
            }))
            .unwrap()
        };
        let lines = lines.lines().filter(|line| !line.trim().is_empty());
        EaiserClusterStatus { conditions: lines.map(condition).collect(), ..EaiserClusterStatus::default() }
    }

    fn told(before: Option<&EaiserClusterStatus>, after: &EaiserClusterStatus) -> Vec<String> {
        let line =
            |news: News| format!("{} {}: {}", if news.warning { "!" } else { "-" }, news.reason, news.note);
        between(before, after).into_iter().map(line).collect()
    }

    const FORMING: &str = "Ready False Forming MongoDB: initiate
        Progressing True Forming MongoDB: initiate
        Degraded False NothingFails nothing fails
        SpecValid True Valid the spec can be carried out
        MongoDBReady False Forming MongoDB: initiate
        ApiReady False PodsStarting pod a is starting";

    #[test]
    fn the_first_status_of_a_healthy_cluster_is_no_news() {
        assert_eq!(told(None, &status(FORMING)), [""; 0]);
    }

    #[test]
    fn a_first_status_that_is_wrong_is_news() {
        let invalid = "Ready False SpecInvalid spec.x: bad
            Degraded True SpecInvalid spec.x: bad
            SpecValid False SpecInvalid spec.x: bad
            Stalled True SpecInvalid spec.x: bad";
        assert_eq!(told(None, &status(invalid)), ["! SpecInvalid: spec.x: bad"]);
    }

    #[test]
    fn nothing_is_told_twice_even_with_other_words() {
        let reworded = FORMING.replace("pod a is starting", "pod b is starting");
        assert_eq!(told(Some(&status(FORMING)), &status(&reworded)), [""; 0]);
    }

    #[test]
    fn each_condition_that_turns_is_told_once_and_its_echoes_are_not() {
        let ready = FORMING
            .replace(
                "Ready False Forming MongoDB: initiate\n        Progressing True",
                "Ready True AllTiersReady all is well\n        Progressing False",
            )
            .replace(
                "MongoDBReady False Forming MongoDB: initiate",
                "MongoDBReady True Formed all members vote",
            );
        assert_eq!(
            told(Some(&status(FORMING)), &status(&ready)),
            ["- AllTiersReady: all is well", "- Formed: MongoDBReady: all members vote"]
        );
    }

    #[test]
    fn another_cause_is_news_and_the_tier_it_comes_from_is_not_told_apart() {
        let bad = |reason: &str, message: &str| {
            status(&FORMING.replace(
                "Degraded False NothingFails nothing fails",
                &format!("Degraded True {reason} {message}"),
            ))
        };
        let image = bad("ImagePullFailed", "pod a cannot pull");
        assert_eq!(told(Some(&status(FORMING)), &image), ["! ImagePullFailed: pod a cannot pull"]);
        let crash = bad("PodCrashing", "pod a ends");
        assert_eq!(told(Some(&image), &crash), ["! PodCrashing: pod a ends"]);
        assert_eq!(told(Some(&crash), &status(FORMING)), ["- NothingFails: nothing fails"]);
    }

    #[test]
    fn a_tier_that_is_lost_is_told_as_such() {
        let before = status("ApiReady True PodsReady 2/2");
        let after = status("ApiReady False PodsStarting 1 of 2");
        assert_eq!(told(Some(&before), &after), ["! PodsStarting: ApiReady no more: 1 of 2"]);
    }
}
