//! The two databases against each other, and a decision against what came after it.

use super::*;

fn restart_of(tier: Tier, set: &str, ready_pods: Option<usize>) -> Roll {
    let action = match ready_pods {
        Some(count) => restart(tier, &pods(set, "0 old").pods[0], count, ""),
        None => replace_stalled(tier, &pods(set, "0 old stalled").pods[0]),
    };
    Progress { updated: 1, total: 3 }.act(action)
}

fn both() -> Rolls {
    Rolls {
        mongodb: restart_of(Tier::MongoDb, "db", Some(3)),
        redis: restart_of(Tier::Redis, "cache", Some(6)),
    }
}

#[test]
fn mongodb_goes_first_and_redis_says_that_it_waits() {
    let rolls = both().one_at_a_time(true, None);
    assert_eq!(deleted(&rolls.mongodb).pod, "db-0");
    assert_eq!(message(&rolls.redis), "1 of 3 pods run the new template; waits until MongoDB has rolled");
}

#[test]
fn redis_waits_for_the_last_member_to_be_back() {
    let rolls = Rolls { mongodb: Roll::Done, ..both() };
    assert_eq!(waits(&rolls.clone().one_at_a_time(false, None).redis), "waits until MongoDB is settled");
    assert_eq!(deleted(&rolls.one_at_a_time(true, None).redis).pod, "cache-0");
}

#[test]
fn mongodb_waits_for_a_redis_pod_that_is_restarting() {
    let rolls = both().one_at_a_time(true, Some("cache-1"));
    assert_eq!(waits(&rolls.mongodb), "waits for cache-1 of Redis, which is restarting");
    assert_eq!(rolls.redis.action(), None);
}

#[test]
fn a_pod_that_serves_nobody_waits_for_nobody() {
    let rolls = Rolls { redis: restart_of(Tier::Redis, "cache", None), ..both() };
    let rolls = rolls.one_at_a_time(true, None);
    assert_eq!(
        (deleted(&rolls.mongodb).pod.as_str(), deleted(&rolls.redis).pod.as_str()),
        ("db-0", "cache-0")
    );
}

fn live(name: &str, status: &str) -> Pod {
    let deletion = if status == "stopping" { ", deletionTimestamp: '2030-01-01T00:00:00Z'" } else { "" };
    let ready = if status == "unready" { "False" } else { "True" };
    serde_saphyr::from_str(&format!(
        "{{metadata: {{name: {name}, uid: uid-{name}{deletion}}}, status: {{conditions: [{{type: Ready, status: '{ready}'}}]}}}}"
    ))
    .unwrap()
}

fn holds(live: &[Pod]) -> Result<(), String> {
    let roll = restart_of(Tier::MongoDb, "db", Some(2));
    still_holds(deleted(&roll), live)
}

#[test]
fn a_deletion_holds_while_every_pod_is_there_and_ready() {
    assert_eq!(holds(&[live("db-0", "ready"), live("db-1", "ready")]), Ok(()));
}

#[test]
fn a_deletion_is_dropped_when_another_pod_left_meanwhile() {
    let reason = holds(&[live("db-0", "ready"), live("db-1", "stopping")]).unwrap_err();
    assert_eq!(reason, "db-1 is not ready any more");
    assert_eq!(holds(&[live("db-0", "ready"), live("db-1", "unready")]).unwrap_err(), reason);
    assert_eq!(holds(&[live("db-0", "ready")]).unwrap_err(), "only 1 of 2 pods of mongodb exist");
}

#[test]
fn a_deletion_is_dropped_when_the_pod_is_another_one_by_now() {
    let mut successor = live("db-0", "ready");
    successor.metadata.uid = Some("uid-of-successor".to_owned());
    assert_eq!(holds(&[successor, live("db-1", "ready")]).unwrap_err(), "db-0 was replaced meanwhile");
}

#[test]
fn a_stalled_pod_is_replaced_although_others_are_away() {
    let roll = restart_of(Tier::MongoDb, "db", None);
    assert_eq!(still_holds(deleted(&roll), &[live("db-0", "unready"), live("db-1", "unready")]), Ok(()));
}
