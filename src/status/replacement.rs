//! How a member's replacement goes, as events tell it: each turn once. Pure.

use super::news::News;
use crate::crd::{EaiserClusterStatus, ReplacementStatus};
use crate::drive::replacement::phase;

/// The turn between two statuses, if there is one. The event of an accepted request is the evidence
/// that is there before anything is deleted.
pub(super) fn news(before: Option<&EaiserClusterStatus>, after: &EaiserClusterStatus) -> Option<News> {
    let of = |status: &EaiserClusterStatus| status.mongodb.as_ref()?.replacement.clone();
    let (before, after) = (before.and_then(of), of(after)?);
    let key = |status: &ReplacementStatus| (status.request.clone(), status.phase.clone());
    let turned = before.as_ref().map(key) != Some(key(&after));
    turned.then(|| News {
        warning: after.phase == phase::REFUSED,
        reason: format!("Replacement{}", after.phase),
        note: format!("{}: {}", after.request, after.message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::MongoDbStatus;

    fn status(phase: &str, message: &str) -> EaiserClusterStatus {
        let replacement = ReplacementStatus {
            request: "eaiser-mongodb-1".to_owned(),
            phase: phase.to_owned(),
            message: message.to_owned(),
            claim_uid: None,
        };
        let mongodb = MongoDbStatus { replacement: Some(replacement), ..MongoDbStatus::default() };
        EaiserClusterStatus { mongodb: Some(mongodb), ..EaiserClusterStatus::default() }
    }

    #[test]
    fn a_refusal_is_told_once_as_a_warning_however_its_words_change() {
        let first = news(None, &status("Refused", "a is down")).unwrap();
        assert!(first.warning && first.reason == "ReplacementRefused", "{first:?}");
        assert_eq!(first.note, "eaiser-mongodb-1: a is down");
        assert_eq!(news(Some(&status("Refused", "a is down")), &status("Refused", "b is down")), None);
        let accepted = news(Some(&status("Refused", "a is down")), &status("Accepted", "")).unwrap();
        assert!(!accepted.warning);
    }

    #[test]
    fn a_cluster_that_nobody_asked_anything_of_has_no_news() {
        assert_eq!(news(Some(&status("Done", "")), &EaiserClusterStatus::default()), None);
    }
}
