use k8s_openapi::api::apps::v1::StatefulSet;

use super::*;
use crate::crd::EaiserClusterSpec;
use crate::desired::{Desired, build};
use crate::names::Identity;
use crate::password::Password;
use crate::settings::Settings;
use crate::snapshot::{Certificates, Children, ServedKinds};

fn plan(tls: &str) -> Plan {
    let spec = format!("{{capacity: {{users: 1000}}, api: {{image: a}}, mongodb: {{tls: {tls}}}}}");
    let spec: EaiserClusterSpec = serde_saphyr::from_str(&spec).unwrap();
    let identity = Identity { namespace: "shop".into(), name: "eaiser".into(), uid: "u-1".into() };
    crate::plan::plan(identity, &spec, &Settings::default()).unwrap()
}

const REQUIRE: &str = "{mode: Require, selfSigned: true}";
const OFF: &str = "{mode: Disabled}";

fn certificate() -> Certificate {
    Certificate { chain: "CHAIN".into(), key: Password::new("KEY"), authorities: "AUTHORITIES".into() }
}

fn snapshot(children: Children) -> Snapshot {
    let certificates = Certificates { wanted: Some(certificate()), ..Certificates::default() };
    Snapshot { children, certificates, ..Snapshot::offline(ServedKinds::default()) }
}

/// A cluster whose workloads are as rendered.
fn running(desired: Desired) -> Children {
    Children {
        stateful_sets: desired.stateful_sets.into_iter().map(Into::into).collect(),
        deployments: desired.deployments.into_iter().map(Into::into).collect(),
        ..Children::default()
    }
}

fn members(desired: &Desired) -> &StatefulSet {
    let named = |set: &&StatefulSet| set.metadata.name.as_deref() == Some("eaiser-mongodb");
    desired.stateful_sets.iter().find(named).unwrap()
}

fn mode(desired: &Desired) -> Mode {
    mode_of(members(desired).spec.as_ref().unwrap().template.spec.as_ref().unwrap())
}

fn secret_names(desired: &Desired) -> Vec<&str> {
    let names = desired.secrets.iter().filter_map(|secret| secret.metadata.name.as_deref());
    names.filter(|name| name.ends_with("certificate") || name.ends_with("authority")).collect()
}

#[test]
fn a_new_cluster_starts_in_the_mode_that_is_asked_for() {
    let desired = build(&plan(REQUIRE), &snapshot(Children::default()));
    assert_eq!(mode(&desired), Mode::Require);
    assert_eq!(secret_names(&desired), ["eaiser-mongodb-certificate"]);
    let text = serde_json::to_string(&desired.deployments).unwrap();
    assert!(text.contains("MONGODB_TLS_CA_FILE"));
}

#[test]
fn a_running_cluster_begins_with_the_mode_its_members_understand() {
    let before = running(build(&plan(OFF), &snapshot(Children::default())));
    let desired = build(&plan(REQUIRE), &snapshot(before));
    assert_eq!(mode(&desired), Mode::Allow);
    let text = serde_json::to_string(&desired.deployments).unwrap();
    assert!(!text.contains("MONGODB_TLS_CA_FILE"), "the API changes over when every member takes TLS");
}

#[test]
fn nothing_begins_without_a_certificate_that_can_be_used() {
    let before = running(build(&plan(OFF), &snapshot(Children::default())));
    let without = Snapshot { certificates: Certificates::default(), ..snapshot(before) };
    let desired = build(&plan(REQUIRE), &without);
    assert_eq!((mode(&desired), secret_names(&desired).len()), (Mode::Disabled, 0));
    assert_eq!(pending(&plan(REQUIRE), &without), None, "the condition tells of the certificate instead");
}

#[test]
fn the_certificate_stays_until_the_last_pod_has_restarted_without_it() {
    let (mut plan_, mut children) = (plan(REQUIRE), Children::default());
    let mut modes = Vec::new();
    for _ in 0..5 {
        let desired = build(&plan_, &snapshot(children));
        modes.push((mode(&desired), secret_names(&desired).len()));
        children = running(desired);
        plan_ = plan(OFF);
    }
    let expected =
        [(Mode::Require, 1), (Mode::Prefer, 1), (Mode::Allow, 1), (Mode::Disabled, 1), (Mode::Disabled, 0)];
    assert_eq!(modes, expected);
}

#[test]
fn the_api_gets_the_authorities_and_no_key() {
    let desired = build(&plan(REQUIRE), &snapshot(Children::default()));
    let api = desired.deployments.iter().find(|one| one.metadata.name.as_deref() == Some("eaiser-api"));
    let spec = api.unwrap().spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    let volume = spec.volumes.as_ref().unwrap().iter().find(|volume| volume.name == VOLUME).unwrap();
    let items = volume.secret.as_ref().unwrap().items.as_ref().unwrap();
    assert_eq!(items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["ca.crt"]);
    let connection =
        desired.secrets.iter().find(|one| one.metadata.name.as_deref() == Some("eaiser-mongodb-connection"));
    let uri = String::from_utf8(connection.unwrap().data.as_ref().unwrap()["uri"].0.clone()).unwrap();
    assert!(uri.ends_with("&tls=true&tlsCAFile=%2Feaiser%2Fmongodb%2Fca.crt"), "{uri}");
}

#[test]
fn a_renewed_certificate_restarts_members_once_its_secret_holds_it() {
    let digest_with = |held: Option<Certificate>, wanted| {
        let certificates = Certificates { held, wanted: Some(wanted), ..Certificates::default() };
        let seen = Snapshot { certificates, ..snapshot(Children::default()) };
        digest(&plan(REQUIRE), &seen).unwrap()
    };
    let renewed = Certificate { chain: "RENEWED".into(), ..certificate() };
    let before = digest_with(Some(certificate()), certificate());
    assert_eq!(digest_with(None, certificate()), before, "the first pods need not restart");
    assert_eq!(digest_with(Some(certificate()), renewed.clone()), before, "its Secret comes first");
    assert_ne!(digest_with(Some(renewed.clone()), renewed), before);
}
