//! Members of the replica set that were lost or came back, and primaries that changed. Pure.

use super::News;
use crate::crd::{EaiserClusterStatus, MongoDbMemberStatus, MongoDbStatus};
use crate::status::condition::reason;

/// What turned between two statuses. Joining, votes, leaving and restarts are steps of the operator,
/// and told as such; so is a stop.
pub(super) fn between(before: Option<&EaiserClusterStatus>, after: &EaiserClusterStatus) -> Vec<News> {
    let set = |status: &EaiserClusterStatus| status.mongodb.clone();
    let (Some(old), Some(new)) = (before.and_then(set), set(after)) else {
        return Vec::new();
    };
    if matches!(after.phase.as_deref(), Some("Stopping" | "Stopped" | "Starting" | "Deleting")) {
        return Vec::new();
    }
    let mut told: Vec<News> = Vec::new();
    if !before.is_some_and(rolls) && !rolls(after) {
        told.extend(old.members.iter().filter_map(|member| of_member(member, &new)));
    }
    told.extend(of_primary(&old, &new));
    told
}

fn rolls(status: &EaiserClusterStatus) -> bool {
    let mut conditions = status.conditions.iter();
    conditions.any(|condition| condition.type_ == "MongoDBReady" && condition.reason == reason::ROLLING)
}

/// A voting member that serves no more, or again. One that has no vote any more is leaving.
fn of_member(before: &MongoDbMemberStatus, after: &MongoDbStatus) -> Option<News> {
    let now = after.members.iter().find(|member| member.pod == before.pod && member.votes > 0)?;
    let pod = &before.pod;
    match (before.votes > 0 && serves(before), serves(now)) {
        (true, false) => Some(News {
            warning: true,
            reason: "MemberLost".to_owned(),
            note: format!("MongoDB member {pod} is {}; it was {}", now.state, before.state),
        }),
        (false, true) if before.votes > 0 => Some(News {
            warning: false,
            reason: "MemberBack".to_owned(),
            note: format!("MongoDB member {pod} is {}; it was {}", now.state, before.state),
        }),
        _ => None,
    }
}

fn serves(member: &MongoDbMemberStatus) -> bool {
    matches!(member.state.as_str(), "PRIMARY" | "SECONDARY" | "ARBITER")
}

/// The first primary of a set is no news: the set is being formed, and has one vote until then.
fn of_primary(before: &MongoDbStatus, after: &MongoDbStatus) -> Option<News> {
    let voters = after.members.iter().filter(|member| member.votes > 0).count();
    let news = |warning, reason: &str, note: String| News { warning, reason: reason.to_owned(), note };
    match (before.primary.as_deref(), after.primary.as_deref()) {
        (Some(old), Some(new)) if old != new => {
            Some(news(false, "PrimaryChanged", format!("{new} is the primary of MongoDB; it was {old}")))
        }
        (Some(old), None) if voters > 0 => {
            Some(news(true, "PrimaryLost", format!("MongoDB has no primary; it was {old}")))
        }
        (None, Some(new)) if voters > 1 => {
            Some(news(false, "PrimaryElected", format!("{new} is the primary of MongoDB; there was none")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pod state votes` a line; a state of PRIMARY makes the primary.
    fn set(lines: &str) -> EaiserClusterStatus {
        let members = lines.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            MongoDbMemberStatus {
                pod: words[0].to_owned(),
                state: words[1].to_owned(),
                votes: words[2].parse().unwrap(),
                ..MongoDbMemberStatus::default()
            }
        });
        let members: Vec<_> = members.collect();
        let primary =
            members.iter().find(|member| member.state == "PRIMARY").map(|member| member.pod.clone());
        let mongodb = MongoDbStatus { initiated: true, primary, members, ..MongoDbStatus::default() };
        EaiserClusterStatus { mongodb: Some(mongodb), ..EaiserClusterStatus::default() }
    }

    fn told(before: &str, after: &str) -> Vec<String> {
        lines(&between(Some(&set(before)), &set(after)))
    }

    fn lines(news: &[News]) -> Vec<String> {
        news.iter()
            .map(|news| format!("{}{}: {}", if news.warning { "!" } else { "" }, news.reason, news.note))
            .collect()
    }

    const THREE: &str = "db-0 PRIMARY 1\ndb-1 SECONDARY 1\ndb-2 SECONDARY 1";

    #[test]
    fn nothing_is_told_while_nothing_turns() {
        assert_eq!(told(THREE, THREE), [""; 0]);
        assert!(between(None, &set(THREE)).is_empty(), "the first status of a set is no news");
    }

    #[test]
    fn a_lost_primary_and_its_successor_are_told_once_each() {
        let lost = "db-0 UNREACHABLE 1\ndb-1 SECONDARY 1\ndb-2 SECONDARY 1";
        let elected = "db-0 UNREACHABLE 1\ndb-1 PRIMARY 1\ndb-2 SECONDARY 1";
        let back = "db-0 SECONDARY 1\ndb-1 PRIMARY 1\ndb-2 SECONDARY 1";
        assert_eq!(
            told(THREE, lost),
            [
                "!MemberLost: MongoDB member db-0 is UNREACHABLE; it was PRIMARY",
                "!PrimaryLost: MongoDB has no primary; it was db-0"
            ]
        );
        assert_eq!(told(lost, elected), ["PrimaryElected: db-1 is the primary of MongoDB; there was none"]);
        assert_eq!(told(elected, back), ["MemberBack: MongoDB member db-0 is SECONDARY; it was UNREACHABLE"]);
        assert_eq!(told(THREE, back), ["PrimaryChanged: db-1 is the primary of MongoDB; it was db-0"]);
    }

    #[test]
    fn a_set_that_forms_tells_only_its_steps() {
        let stages = [
            "db-0 NOT_INITIALIZED 0\ndb-1 NOT_INITIALIZED 0\ndb-2 NOT_INITIALIZED 0",
            "db-0 SECONDARY 1\ndb-1 NOT_INITIALIZED 0\ndb-2 NOT_INITIALIZED 0",
            "db-0 PRIMARY 1\ndb-1 STARTUP2 0\ndb-2 NOT_INITIALIZED 0",
            "db-0 PRIMARY 1\ndb-1 SECONDARY 0\ndb-2 SECONDARY 0",
            "db-0 PRIMARY 1\ndb-1 SECONDARY 1\ndb-2 SECONDARY 0",
            THREE,
        ];
        for pair in stages.windows(2) {
            assert_eq!(told(pair[0], pair[1]), [""; 0], "{pair:?}");
        }
    }

    #[test]
    fn a_stop_loses_no_members() {
        let stopping = EaiserClusterStatus {
            phase: Some("Stopping".to_owned()),
            ..set("db-0 UNREACHABLE 1\ndb-1 UNREACHABLE 1\ndb-2 SECONDARY 1")
        };
        assert_eq!(lines(&between(Some(&set(THREE)), &stopping)), [""; 0]);
    }

    #[test]
    fn a_roll_tells_of_its_pods_itself_and_a_new_primary_is_news_all_the_same() {
        let condition = serde_json::json!({
            "type": "MongoDBReady", "status": "True", "reason": "Rolling", "message": "1 of 3",
            "lastTransitionTime": "2026-11-24T08:00:00Z",
        });
        let rolling = EaiserClusterStatus {
            conditions: vec![serde_json::from_value(condition).unwrap()],
            ..set("db-0 UNREACHABLE 1\ndb-1 PRIMARY 1\ndb-2 SECONDARY 1")
        };
        assert_eq!(
            lines(&between(Some(&set(THREE)), &rolling)),
            ["PrimaryChanged: db-1 is the primary of MongoDB; it was db-0"]
        );
    }

    #[test]
    fn a_member_that_leaves_is_not_lost() {
        assert_eq!(told(THREE, "db-0 PRIMARY 1\ndb-1 SECONDARY 1\ndb-2 REMOVED 0"), [""; 0]);
        assert_eq!(told(THREE, "db-0 PRIMARY 1\ndb-1 SECONDARY 1"), [""; 0]);
    }
}
