//! Conditions as a table of situations.

use k8s_openapi::jiff::Timestamp;

use super::condition::{Verdict, merge};
use super::*;

fn time(second: i64) -> Time {
    Time(Timestamp::from_second(second).unwrap())
}

#[test]
fn the_transition_time_moves_only_when_the_status_does() {
    let first = merge(vec![("Ready", Verdict::off("Waiting", "one"))], Some(1), None, &time(100));
    let before = EaiserClusterStatus { conditions: first, ..EaiserClusterStatus::default() };
    let reworded = merge(vec![("Ready", Verdict::off("Waiting", "two"))], Some(2), Some(&before), &time(200));
    assert_eq!((&reworded[0].last_transition_time, reworded[0].message.as_str()), (&time(100), "two"));
    let turned =
        merge(vec![("Ready", Verdict::on("AllTiersReady", "ok"))], Some(2), Some(&before), &time(200));
    assert_eq!(turned[0].last_transition_time, time(200));
}

#[test]
fn a_cluster_that_no_prometheus_selects_is_ready_and_one_with_a_foreign_object_is_not() {
    let with = |monitoring: Verdict| {
        vec![("ApiReady", Verdict::on(reason::PODS_READY, "2/2")), ("MonitoringReady", monitoring)]
    };
    let unwatched =
        with(Verdict::off(reason::NOT_SELECTED, "Prometheus monitoring/k8s selects by release=kps"));
    assert_eq!(missing(&unwatched), None);
    let foreign = with(Verdict::failing(reason::FOREIGN_OBJECT, "ConfigMap/eaiser-rules is not ours"));
    assert_eq!(missing(&foreign).map(|verdict| verdict.reason), Some(reason::FOREIGN_OBJECT));
}

mod rolls {
    use super::super::progressing;
    use super::super::rolling::{Service, during_roll};
    use super::*;
    use crate::drive::Roll;

    const SERVES: Service = Service { serves: true, rolled_before: false };

    fn rolling() -> Roll {
        Roll::Rolling { message: "1 of 3 pods run the new template; next db-0".to_owned(), action: None }
    }

    fn waiting() -> Verdict {
        Verdict::off(reason::WAITING, "MongoDB: db-0 is UNREACHABLE")
    }

    #[test]
    fn a_tier_that_serves_while_it_rolls_stays_ready() {
        let verdict = during_roll("MongoDB", waiting(), &rolling(), SERVES);
        assert_eq!((verdict.holds, verdict.reason), (true, reason::ROLLING));
        assert_eq!(verdict.message, "MongoDB is rolling: 1 of 3 pods run the new template; next db-0");
    }

    #[test]
    fn a_tier_that_rolls_without_serving_is_not_ready() {
        let away = Service { serves: false, ..SERVES };
        assert!(!during_roll("MongoDB", waiting(), &rolling(), away).holds);
    }

    #[test]
    fn the_last_pod_of_a_roll_still_belongs_to_it() {
        let after = Service { rolled_before: true, ..SERVES };
        let verdict = during_roll("MongoDB", waiting(), &Roll::Done, after);
        assert_eq!((verdict.holds, verdict.reason), (true, reason::ROLLING));
    }

    #[test]
    fn a_roll_is_over_when_its_tier_is_as_wanted() {
        let formed = Verdict::on(reason::FORMED, "all 3 members vote and hold the data");
        let after = Service { rolled_before: true, ..SERVES };
        assert_eq!(during_roll("MongoDB", formed.clone(), &Roll::Done, after), formed);
    }

    #[test]
    fn a_member_that_is_away_without_a_roll_is_no_roll() {
        assert_eq!(during_roll("MongoDB", waiting(), &Roll::Done, SERVES), waiting());
    }

    #[test]
    fn a_failing_pod_is_not_hidden_by_a_roll() {
        let failing = Verdict::failing(reason::IMAGE_PULL_FAILED, "pod db-0 cannot pull image x");
        assert_eq!(during_roll("MongoDB", failing.clone(), &rolling(), SERVES), failing);
    }

    #[test]
    fn a_ready_cluster_that_rolls_is_progressing_for_that_reason() {
        let ready = Verdict::on(reason::ALL_TIERS_READY, "ready");
        let tiers = vec![("RedisReady", during_roll("Redis", waiting(), &rolling(), SERVES))];
        let verdict = progressing(&ready, &tiers, None);
        assert_eq!((verdict.holds, verdict.reason), (true, reason::ROLLING));
        assert!(verdict.message.starts_with("Redis is rolling: 1 of 3"), "{}", verdict.message);
    }

    #[test]
    fn what_was_written_and_not_seen_since_is_progressing() {
        let ready = Verdict::on(reason::ALL_TIERS_READY, "ready");
        assert_eq!(progressing(&ready, &[], Some("StatefulSet/db")).reason, reason::APPLYING);
        assert!(!progressing(&ready, &[], None).holds);
    }
}
