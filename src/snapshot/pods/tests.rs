//! Outdated pods and what changes about them, one situation each.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::*;

const SET: &str = "
metadata: {name: db, generation: 4}
spec:
  replicas: 2
  serviceName: db
  selector: {}
  template:
    metadata: {annotations: {eaiser.io/configuration: new}}
    spec:
      containers:
      - name: mongodb
        image: mongo:8.1
        args: [--replSet, db, --maxConns, '900']
        resources: {limits: {memory: 1Gi}, requests: {cpu: 100m}}
status: {replicas: 2, observedGeneration: 4, updateRevision: db-new}
";

fn set(change: impl Fn(&str) -> String) -> StatefulSet {
    serde_saphyr::from_str(&change(SET)).unwrap()
}

fn pod(name: &str, revision: &str) -> Pod {
    serde_saphyr::from_str(&format!(
        "
metadata:
  name: {name}
  uid: uid-{name}
  labels: {{controller-revision-hash: {revision}}}
  annotations: {{eaiser.io/configuration: new}}
  ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: db, uid: s, controller: true}}]
spec:
  containers:
  - name: mongodb
    image: mongo:8.1
    args: [--replSet, db, --maxConns, '900']
    resources: {{limits: {{memory: 1Gi}}, requests: {{cpu: 100m, memory: 64Mi}}}}
status:
  conditions: [{{type: Ready, status: 'True'}}]
  containerStatuses: [{{name: mongodb, image: i, imageID: '', ready: true, restartCount: 0, state: {{running: {{}}}}}}]
"
    ))
    .unwrap()
}

fn seen(set: StatefulSet, pods: Vec<Pod>) -> StatefulPods {
    let children = Children {
        stateful_sets: vec![set.into()],
        pods: pods.into_iter().map(Into::into).collect(),
        ..Children::default()
    };
    children.stateful_pods("db").unwrap()
}

fn change(edit: impl Fn(&mut Pod)) -> String {
    let mut old = pod("db-0", "db-old");
    edit(&mut old);
    seen(set(str::to_owned), vec![old]).pods[0].outdated.clone().unwrap()
}

fn container(pod: &mut Pod) -> &mut k8s_openapi::api::core::v1::Container {
    &mut pod.spec.as_mut().unwrap().containers[0]
}

#[test]
fn a_pod_of_another_revision_is_outdated() {
    let seen = seen(set(str::to_owned), vec![pod("db-0", "db-old"), pod("db-1", "db-new")]);
    assert_eq!(seen.outdated().map(|pod| pod.name.as_str()).collect::<Vec<_>>(), ["db-0"]);
    assert_eq!((seen.updated(), seen.is_current), (1, true));
}

#[test]
fn a_status_of_an_older_generation_is_not_trusted() {
    let stale = set(|text| text.replace("observedGeneration: 4", "observedGeneration: 3"));
    let seen = seen(stale, vec![pod("db-0", "db-old")]);
    assert_eq!((seen.outdated().count(), seen.is_current), (0, false));
}

#[test]
fn a_status_without_a_generation_is_not_trusted() {
    let silent = set(|text| text.replace("observedGeneration: 4, ", "").replace(", generation: 4", ""));
    assert!(!seen(silent, vec![pod("db-0", "db-old")]).is_current);
}

#[test]
fn a_new_set_does_not_roll_before_its_first_status_unless_it_found_pods() {
    let new = || {
        let born = "creationTimestamp: '2026-01-01T00:00:05Z', generation: 1";
        let text = SET.split("status:").next().unwrap().replace("generation: 4", born);
        serde_saphyr::from_str::<StatefulSet>(&text).unwrap()
    };
    let made_at = |second: u8| {
        let mut pod = pod("db-0", "db-new");
        let time = format!("2026-01-01T00:00:0{second}Z").parse().unwrap();
        pod.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(time));
        pod
    };
    assert!(seen(new(), Vec::new()).is_current);
    assert!(seen(new(), vec![made_at(6)]).is_current);
    assert!(!seen(new(), vec![made_at(4)]).is_current, "a set before it made this one");
}

#[test]
fn outdated_pods_come_by_falling_ordinal_as_a_number() {
    let pods = ["db-10", "db-2", "db-9"].map(|name| pod(name, "db-old"));
    let seen = seen(set(str::to_owned), pods.into());
    assert_eq!(seen.outdated().map(|pod| pod.name.as_str()).collect::<Vec<_>>(), ["db-10", "db-9", "db-2"]);
}

#[test]
fn a_pod_of_another_stateful_set_is_none_of_its_pods() {
    let mut stranger = pod("db-1-0", "db-1-abc");
    stranger.metadata.owner_references.as_mut().unwrap()[0].name = "db-1".to_owned();
    assert_eq!(seen(set(str::to_owned), vec![stranger]).pods, []);
}

#[test]
fn missing_stopping_and_unready_pods_are_named() {
    let unrest = |pods| seen(set(str::to_owned), pods).unrest();
    let mut stopping = pod("db-1", "db-new");
    stopping.metadata.deletion_timestamp = serde_saphyr::from_str("2030-01-01T00:00:00Z").unwrap();
    let mut unready = pod("db-1", "db-new");
    unready.status.as_mut().unwrap().conditions = None;
    let first = || pod("db-0", "db-new");
    assert_eq!(unrest(vec![pod("db-1", "db-new")]).unwrap(), "db-0 is being created");
    assert_eq!(unrest(vec![first(), stopping]).unwrap(), "db-1 is stopping");
    assert_eq!(unrest(vec![first(), unready]).unwrap(), "db-1 is not ready yet");
    assert_eq!(unrest(vec![first(), pod("db-1", "db-new")]), None);
}

#[test]
fn a_pod_without_a_running_container_is_stalled() {
    let mut waiting = pod("db-0", "db-old");
    waiting.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0].state = None;
    let seen = seen(set(str::to_owned), vec![waiting, pod("db-1", "db-old")]);
    assert_eq!(seen.pods.iter().map(|pod| pod.stalled).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_changed_image_is_told_from_and_to() {
    let words = change(|pod| container(pod).image = Some("mongo:8.0".to_owned()));
    assert_eq!(words, "image changes from mongo:8.0 to mongo:8.1");
}

#[test]
fn a_changed_limit_is_told_and_a_request_added_by_admission_is_not() {
    let words = change(|pod| {
        let limits = container(pod).resources.as_mut().unwrap().limits.as_mut().unwrap();
        limits.insert("memory".to_owned(), Quantity("512Mi".to_owned()));
    });
    assert_eq!(words, "memory limit changes from 512Mi to 1Gi");
}

#[test]
fn a_changed_argument_is_named_by_its_flag() {
    let words = change(|pod| container(pod).args.as_mut().unwrap()[3] = "800".to_owned());
    assert_eq!(words, "--maxConns changes from 800 to 900");
}

#[test]
fn a_changed_configuration_digest_is_told() {
    let words = change(|pod| {
        pod.annotations_mut().insert("eaiser.io/configuration".to_owned(), "old".to_owned());
    });
    assert_eq!(words, "configuration changes");
}

#[test]
fn any_other_change_is_told_in_general_words() {
    assert_eq!(change(|_| {}), "the pod template changes");
}

#[test]
fn many_changes_are_three_and_a_count() {
    let words = change(|pod| {
        pod.annotations_mut().clear();
        let container = container(pod);
        container.image = Some("mongo:8.0".to_owned());
        container.args = None;
        container.resources.as_mut().unwrap().limits = None;
    });
    assert_eq!(
        words,
        "image changes from mongo:8.0 to mongo:8.1, memory limit changes from none to 1Gi, arguments change, 1 more"
    );
}
