//! Encryption: the mode members and API are made with now, and the Secrets they read. Pure.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{KeyToPath, PodSpec, Secret};
use k8s_openapi::jiff::Timestamp;

use crate::desired::{meta, pod};
use crate::mongo::certificate::Certificate;
use crate::mongo::tls::{self, Mode, Now, Situation};
use crate::names::{ANNOTATION_RENEW_AFTER, Tier};
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::snapshot::certificates::{KEY_AUTHORITIES, KEY_AUTHORITY_KEY, KEY_PEM};
use crate::snapshot::children::find;

/// Flag that tells a member's mode.
const MODE_FLAG: &str = "--tlsMode";
/// Variable that tells the API where the authorities are.
const AUTHORITIES_VARIABLE: &str = "MONGODB_TLS_CA_FILE";
/// Where members find their certificate.
pub(super) const MEMBER_FOLDER: &str = "/eaiser/certificate";
/// Where the API finds the authorities.
const API_FOLDER: &str = "/eaiser/mongodb";
const VOLUME: &str = "mongodb-authorities";

/// What members and API are made with now.
pub fn now(plan: &Plan, snapshot: &Snapshot) -> Now {
    let target = plan.mongodb.tls.mode;
    let Some(situation) = situation(plan, snapshot) else {
        // Nobody runs yet, so nobody has to be understood.
        return Now { members: target, api: target >= Mode::Prefer };
    };
    let usable = snapshot.certificates.wanted.is_some();
    // Without a certificate nothing begins; what runs with one goes on.
    let target = if usable || target == Mode::Disabled { target } else { situation.template };
    tls::next(target, &situation)
}

/// How the set is spoken to; none before it exists.
fn situation(plan: &Plan, snapshot: &Snapshot) -> Option<Situation> {
    let (identity, children) = (&plan.identity, &snapshot.children);
    let set = find(&children.stateful_sets, &identity.tier(Tier::MongoDb))?;
    let template = |spec: Option<&PodSpec>| spec.map_or(Mode::Disabled, mode_of);
    let api = find(&children.deployments, &identity.tier(Tier::Api)).and_then(|live| live.spec.as_ref());
    let pods = |tier| children.pods_of(tier).filter_map(|pod| pod.spec.as_ref());
    Some(Situation {
        template: template(set.spec.as_ref()?.template.spec.as_ref()),
        pods: pods(Tier::MongoDb).map(mode_of).collect(),
        api: api.and_then(|spec| spec.template.spec.as_ref()).map(uses_tls),
        api_pods: pods(Tier::Api).map(uses_tls).collect(),
    })
}

/// The mode that a member was made with.
pub fn mode_of(spec: &PodSpec) -> Mode {
    let mut words = spec.containers.iter().flat_map(|container| container.args.iter().flatten());
    let value = words.find(|word| *word == MODE_FLAG).and_then(|_| words.next());
    value.and_then(|value| Mode::of(value)).unwrap_or(Mode::Disabled)
}

fn uses_tls(spec: &PodSpec) -> bool {
    let mut variables = spec.containers.iter().flat_map(|container| container.env.iter().flatten());
    variables.any(|variable| variable.name == AUTHORITIES_VARIABLE)
}

/// What begins a further roll; none when members and API are as planned.
pub fn pending(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    let situation = situation(plan, snapshot)?;
    let target = plan.mongodb.tls.mode;
    let Now { members, api } = now(plan, snapshot);
    let template = situation.template;
    if members != template {
        return Some(format!("TLS: members go from {} to {}", template.as_str(), members.as_str()));
    }
    let others = situation.api_pods.iter().chain(&situation.api).filter(|tls| **tls != api).count();
    match (members == target, others) {
        (true, 0) => None,
        (false, 0) => Some(format!("TLS: {} follows {}", target.as_str(), members.as_str())),
        (_, _) => Some(format!("TLS: waits until every API pod {} TLS", if api { "uses" } else { "leaves" })),
    }
    .filter(|_| snapshot.certificates.wanted.is_some() || target == Mode::Disabled)
}

/// Our Secrets: what members mount, and the authority's own key, which nobody mounts. They stay until
/// the last pod has restarted without them.
pub(super) fn secrets(plan: &Plan, snapshot: &Snapshot) -> Vec<Secret> {
    let identity = &plan.identity;
    let certificates = &snapshot.certificates;
    let Some(certificate) = certificates.wanted.as_ref().filter(|_| is_in_use(plan, snapshot)) else {
        return Vec::new();
    };
    let mut secrets = vec![secret(
        plan,
        identity.mongodb_certificate(),
        &[(KEY_PEM, certificate.pem().expose()), (KEY_AUTHORITIES, &certificate.authorities)],
    )];
    let renewed =
        certificates.renew_after.and_then(|at| Timestamp::from_second(i64::try_from(at).ok()?).ok());
    secrets[0].metadata.annotations =
        renewed.map(|at| [(ANNOTATION_RENEW_AFTER.to_owned(), at.to_string())].into());
    if let Some(authority) = &certificates.authority {
        let data =
            [(KEY_AUTHORITIES, authority.certificate.as_str()), (KEY_AUTHORITY_KEY, authority.key.expose())];
        secrets.push(secret(plan, identity.mongodb_authority(), &data));
    }
    secrets
}

fn secret(plan: &Plan, name: String, data: &[(&str, &str)]) -> Secret {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
    Secret {
        metadata: meta::object(&plan.identity, Tier::MongoDb, name),
        type_: Some("Opaque".to_owned()),
        data: Some(data.collect::<BTreeMap<_, _>>()),
        ..Secret::default()
    }
}

fn is_in_use(plan: &Plan, snapshot: &Snapshot) -> bool {
    let Now { members, api } = now(plan, snapshot);
    let running = situation(plan, snapshot).is_some_and(|situation| {
        let mut modes = situation.pods.iter().chain([&situation.template]);
        modes.any(|mode| mode.takes_tls())
            || situation.api_pods.iter().chain(&situation.api).any(|uses_tls| *uses_tls)
    });
    members.takes_tls() || api || running
}

/// The certificate that pods made now read: what our Secret holds, and before there is one what it will.
fn readable(snapshot: &Snapshot) -> Option<&Certificate> {
    let certificates = &snapshot.certificates;
    certificates.held.as_ref().or(certificates.wanted.as_ref())
}

/// Digest of the certificate for the members' template; none for members without TLS.
pub(super) fn digest(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    let certificate = readable(snapshot).filter(|_| now(plan, snapshot).members.takes_tls())?;
    Some(meta::digest([certificate.pem().expose(), &certificate.authorities]))
}

/// Flags of a member; none for one without TLS, which is what every version before this one rendered.
pub(super) fn arguments(mode: Mode) -> Vec<String> {
    if !mode.takes_tls() {
        return Vec::new();
    }
    let file = |key: &str| format!("{MEMBER_FOLDER}/{key}");
    vec![
        MODE_FLAG.to_owned(),
        mode.as_str().to_owned(),
        "--tlsCertificateKeyFile".to_owned(),
        file(KEY_PEM),
        "--tlsCAFile".to_owned(),
        file(KEY_AUTHORITIES),
        // Applications bring a password; with an authority mongod would ask for a certificate as well.
        "--tlsAllowConnectionsWithoutCertificates".to_owned(),
    ]
}

/// The connection string for clients that use TLS. Drivers read the authorities from the file that
/// the string names, or from the variable.
pub fn uri(plain: String, now: Now) -> String {
    if now.api {
        format!("{plain}&tls=true&tlsCAFile={}", authorities_file().replace('/', "%2F"))
    } else {
        plain
    }
}

fn authorities_file() -> String {
    format!("{API_FOLDER}/{KEY_AUTHORITIES}")
}

/// Authorities that an API pod trusts, for the digest of what it reads at start; none without TLS.
pub(in crate::desired) fn api_authorities(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    readable(snapshot).filter(|_| now(plan, snapshot).api).map(|certificate| certificate.authorities.clone())
}

/// Adds the authorities to the pod of the API: their certificates alone, and never a key.
pub(in crate::desired) fn mount_authorities(plan: &Plan, now: Now, spec: &mut PodSpec) {
    if !now.api {
        return;
    }
    let mut volume = pod::secret_volume(VOLUME, plan.identity.mongodb_certificate());
    if let Some(source) = volume.secret.as_mut() {
        let path = KEY_AUTHORITIES.to_owned();
        source.items = Some(vec![KeyToPath { key: KEY_AUTHORITIES.to_owned(), path, mode: None }]);
    }
    spec.volumes.get_or_insert_default().push(volume);
    for container in &mut spec.containers {
        container.volume_mounts.get_or_insert_default().push(pod::mount_read_only(VOLUME, API_FOLDER));
        let variable = pod::variable(AUTHORITIES_VARIABLE, authorities_file());
        container.env.get_or_insert_default().push(variable);
    }
}

#[cfg(test)]
mod tests;
