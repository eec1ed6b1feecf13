//! Every name, label and annotation the operator gives to an object. Pure; nothing else builds names.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};

/// Field manager of every server-side apply, and value of the `managed-by` label.
pub const OPERATOR: &str = "eaiser-operator";
/// Second field manager: holds `spec.replicas` of the API Deployment while ownership passes to the
/// autoscaler, because a field that its only owner stops applying falls back to 1.
pub const REPLICAS_HANDOVER: &str = "eaiser-operator-replicas-handover";
/// Selects every object the operator made.
pub const MANAGED_SELECTOR: &str = "app.kubernetes.io/managed-by=eaiser-operator";

/// Label: the tier's product, for example `mongodb`.
pub const LABEL_NAME: &str = "app.kubernetes.io/name";
/// Label: the cluster an object belongs to.
pub const LABEL_INSTANCE: &str = "app.kubernetes.io/instance";
/// Label: the tier.
pub const LABEL_COMPONENT: &str = "app.kubernetes.io/component";
/// Label: who manages the object.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label and value of the one API Service that Prometheus scrapes; the other names the same pods.
pub const LABEL_METRICS: (&str, &str) = ("eaiser.io/metrics", "api");
/// Label that Kubernetes itself puts on every namespace: its name.
pub const LABEL_NAMESPACE: &str = "kubernetes.io/metadata.name";
/// Label: the Redis shard of a pod.
pub const LABEL_SHARD: &str = "redis.eaiser.io/shard";

/// Annotation on every child: digest of what was rendered when it was last applied.
pub const ANNOTATION_RENDERED: &str = "eaiser.io/rendered";
/// Annotation on the StatefulSet of a stopped replica set: how many members it had, all of which must
/// come back for it to have a majority.
pub const ANNOTATION_MEMBERS: &str = "eaiser.io/members-before-stop";
/// Annotation that a person puts on a cluster whose replica set lost its majority for good; its value
/// is the cluster's uid. It counts once.
pub const ANNOTATION_FORCE: &str = "mongodb.eaiser.io/force-reconfigure";
/// Pod template annotation: digest of the Secrets and ConfigMaps the pods read at start.
pub const ANNOTATION_CONFIGURATION: &str = "eaiser.io/configuration";
/// Annotation on a cluster: any new value asks for a new password of the API's MongoDB user. On the
/// Secrets that hold its login: the value that was served by them.
pub const ANNOTATION_ROTATE_PASSWORD: &str = "mongodb.eaiser.io/rotate-password";
/// Annotation on a cluster: any new value asks for a new keyfile. On the keyfile's Secret: the value
/// that was served last.
pub const ANNOTATION_ROTATE_KEYFILE: &str = "mongodb.eaiser.io/rotate-keyfile";
/// Pod template annotation: digest of the members' certificate and the authorities, where they use TLS.
pub const ANNOTATION_CERTIFICATE: &str = "mongodb.eaiser.io/certificate";
/// Annotation on the Secret of a certificate of our own making: when it is renewed.
pub const ANNOTATION_RENEW_AFTER: &str = "mongodb.eaiser.io/renew-after";
/// Pod template annotation: digest of the keyfile, once a rotation was asked for.
pub const ANNOTATION_KEYFILE: &str = "mongodb.eaiser.io/keyfile";

/// Annotation on a cluster: the member of the replica set that is to be emptied and filled anew, see
/// [`crate::drive::replacement`].
pub const ANNOTATION_REPLACE: &str = "mongodb.eaiser.io/replace";
/// Condition of a MongoDB pod by which its readiness follows the state of its member.
pub const CONDITION_MEMBER: &str = "mongodb.eaiser.io/member";

/// Finalizer of a cluster whose volumes are to be deleted with it; no other cluster has one.
pub const FINALIZER: &str = "eaiser.io/purge-volumes";

/// Port of the gateway.
pub const GATEWAY_PORT: i32 = 8080;
/// Private status port of the gateway pods.
pub const GATEWAY_STATUS_PORT: i32 = 8081;
/// Port of MongoDB.
pub const MONGODB_PORT: i32 = 27017;
/// Port of Redis; its cluster bus listens 10000 above.
pub const REDIS_PORT: i32 = 6379;
/// Port of the Redis cluster bus.
pub const REDIS_BUS_PORT: i32 = 16379;

/// Volume of a database pod; each claim is named after it and the pod.
pub const DATA_VOLUME: &str = "data";

/// Database of the application, and of its user.
pub const APPLICATION_DATABASE: &str = "eaiser";
/// MongoDB user of the application.
pub const APPLICATION_USER: &str = "eaiser-app";
/// The user it has after every second change of its password: while one of them is in use, the other
/// gets the new password.
pub const APPLICATION_USER_B: &str = "eaiser-app-b";

/// A tier of the cluster; its text is the component label and part of every child's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// FastAPI instances.
    Api,
    /// Nginx pods.
    Gateway,
    /// MongoDB replica set.
    MongoDb,
    /// Redis Cluster.
    Redis,
    /// Rules and monitors.
    Monitoring,
}

impl Tier {
    /// Those that consist of pods.
    pub const WITH_PODS: [Self; 4] = [Self::Api, Self::Gateway, Self::MongoDb, Self::Redis];

    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Gateway => "gateway",
            Self::MongoDb => "mongodb",
            Self::Redis => "redis",
            Self::Monitoring => "monitoring",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Which `EaiserCluster` an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Namespace of the cluster and of all its children.
    pub namespace: String,
    /// Name of the cluster.
    pub name: String,
    /// `metadata.uid`; empty when planned offline.
    pub uid: String,
}

impl Identity {
    /// Of a stored cluster: the API server sets all three on every object.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self {
            namespace: metadata.namespace.clone()?,
            name: metadata.name.clone()?,
            uid: metadata.uid.clone()?,
        })
    }

    fn child(&self, suffix: impl fmt::Display) -> String {
        format!("{}-{suffix}", self.name)
    }

    /// Name of a tier's workload, main Service, PDB, NetworkPolicy and ServiceAccount.
    pub fn tier(&self, tier: Tier) -> String {
        self.child(tier)
    }

    /// Headless Service of the API pods, which the gateway resolves.
    pub fn api_pods(&self) -> String {
        self.child("api-pods")
    }

    /// ConfigMap with the gateway's nginx.conf.
    pub fn gateway_configuration(&self) -> String {
        self.child("gateway-configuration")
    }

    /// Headless Service that names the MongoDB members.
    pub fn mongodb_members(&self) -> String {
        self.tier(Tier::MongoDb)
    }

    /// Pod of one MongoDB member.
    pub fn mongodb_pod(&self, ordinal: i32) -> String {
        format!("{}-{ordinal}", self.tier(Tier::MongoDb))
    }

    /// Host of a MongoDB member as the replica set knows it.
    pub fn mongodb_host(&self, pod: &str, cluster_domain: &str) -> String {
        format!("{pod}.{}.{}.svc.{cluster_domain}:{MONGODB_PORT}", self.mongodb_members(), self.namespace)
    }

    /// Secret with the keyfile the members trust each other by.
    pub fn mongodb_keyfile(&self) -> String {
        self.child("mongodb-keyfile")
    }

    /// Secret with the certificate that MongoDB's members use, and the authorities they trust.
    pub fn mongodb_certificate(&self) -> String {
        self.child("mongodb-certificate")
    }

    /// Secret with the cluster's own certificate authority; no pod mounts it.
    pub fn mongodb_authority(&self) -> String {
        self.child("mongodb-authority")
    }

    /// Secret with the application's user, password and connection string.
    pub fn mongodb_connection(&self) -> String {
        self.child("mongodb-connection")
    }

    /// Secret with the login that the application gets next, while its password is being changed.
    pub fn mongodb_next_login(&self) -> String {
        self.child("mongodb-next-login")
    }

    /// Secret with the password and connection string of a user of the spec. Names of users that
    /// differ only in what a name of an object cannot hold get Secrets that differ.
    pub fn mongodb_user(&self, user: &str) -> String {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if user.chars().all(plain) && !user.starts_with('-') && !user.ends_with('-') {
            return self.child(format_args!("mongodb-user-{user}"));
        }
        let lower = user.to_ascii_lowercase();
        let letters: String = lower.chars().map(|c| if plain(c) { c } else { '-' }).collect();
        let digest = Sha256::digest(user.as_bytes());
        let mark = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        // The dot keeps them apart from every name that is taken as it is.
        self.child(format_args!("mongodb-user-{}.{mark:08x}", letters.trim_matches('-')))
    }

    /// Name of a Redis shard: its StatefulSet.
    pub fn redis_shard(&self, shard: i32) -> String {
        format!("{}-{shard}", self.tier(Tier::Redis))
    }

    /// Pod of a Redis shard.
    pub fn redis_pod(&self, shard: i32, ordinal: i32) -> String {
        format!("{}-{ordinal}", self.redis_shard(shard))
    }

    /// Headless Service that names the Redis pods.
    pub fn redis_nodes(&self) -> String {
        self.tier(Tier::Redis)
    }

    /// ConfigMap with redis.conf.
    pub fn redis_configuration(&self) -> String {
        self.child("redis-configuration")
    }

    /// Secret with the password and the configuration lines that carry it.
    pub fn redis_credentials(&self) -> String {
        self.child("redis-credentials")
    }

    /// Secret with the application's Redis connection string.
    pub fn redis_connection(&self) -> String {
        self.child("redis-connection")
    }

    /// ConfigMap or PrometheusRule with the rules.
    pub fn monitoring_rules(&self) -> String {
        self.child("rules")
    }

    /// Labels that select the pods of a tier. Never changes: selectors are immutable.
    pub fn selector(&self, tier: Tier) -> BTreeMap<String, String> {
        [(LABEL_INSTANCE, self.name.as_str()), (LABEL_COMPONENT, tier.as_str()), (LABEL_MANAGED_BY, OPERATOR)]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// Labels of every object of a tier: the selector and the product's name.
    pub fn labels(&self, tier: Tier) -> BTreeMap<String, String> {
        let mut labels = self.selector(tier);
        labels.insert(LABEL_NAME.to_owned(), format!("eaiser-{tier}"));
        labels
    }
}

/// Name of the cluster whose workload, pod or claim bears this name. Only a guess: whoever acts on it
/// also looks at labels or uids.
pub fn cluster_of_child(child: &str) -> Option<&str> {
    let tiers = [Tier::Api, Tier::Gateway, Tier::MongoDb, Tier::Redis];
    let starts = tiers.iter().filter_map(|tier| {
        let infix = format!("-{tier}");
        let start = child.rfind(&infix)?;
        child[start + infix.len()..].bytes().next().is_none_or(|byte| byte == b'-').then_some(start)
    });
    starts.max().filter(|start| *start > 0).map(|start| &child[..start])
}

/// The pod that a claim of ours was made for.
pub fn pod_of_claim(claim: &str) -> Option<&str> {
    claim.strip_prefix(DATA_VOLUME)?.strip_prefix('-')
}

/// The claim of a pod's volume, as its StatefulSet names it.
pub fn claim_of_pod(pod: &str) -> String {
    format!("{DATA_VOLUME}-{pod}")
}

/// Cuts at a character boundary and marks the cut.
pub fn truncate(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = (0..=longest - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// Text form of a selector, as status and `kubectl` use it.
pub fn selector_text(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str) -> Identity {
        Identity { namespace: "shop".to_owned(), name: name.to_owned(), uid: String::new() }
    }

    #[test]
    fn the_longest_allowed_name_still_fits_a_label() {
        let identity = identity(&"a".repeat(40));
        for name in
            [identity.redis_pod(99, 5), identity.mongodb_connection(), identity.gateway_configuration()]
        {
            assert!(name.len() <= 63, "{name} has {} characters", name.len());
        }
    }

    #[test]
    fn a_member_is_known_by_its_stable_dns_name() {
        let identity = identity("eaiser");
        assert_eq!(
            identity.mongodb_host(&identity.mongodb_pod(2), "cluster.local"),
            "eaiser-mongodb-2.eaiser-mongodb.shop.svc.cluster.local:27017"
        );
    }

    #[test]
    fn every_user_has_a_secret_of_its_own_whose_name_kubernetes_takes() {
        let identity = identity("eaiser");
        assert_eq!(identity.mongodb_user("reporting"), "eaiser-mongodb-user-reporting");
        let users = ["a-b", "a_b", "a.b", "A-B", "a--b", "a-b.6f2c", "a__b"];
        let names: BTreeMap<String, &str> =
            users.iter().map(|user| (identity.mongodb_user(user), *user)).collect();
        assert_eq!(names.len(), users.len(), "{names:?}");
        for name in names.keys() {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c)));
            assert!(!name.contains("-.") && name.ends_with(|c: char| c.is_ascii_alphanumeric()), "{name}");
        }
    }

    #[test]
    fn a_childs_name_tells_its_cluster() {
        let names = [
            ("eaiser-mongodb-1", Some("eaiser")),
            ("eaiser-redis-2", Some("eaiser")),
            ("my-redis-redis-0-1", Some("my-redis")),
            ("my-api-gateway-5d9f8b7c6d-x2v4z", Some("my-api")),
            ("eaiser-apiary-0", None),
            ("-api", None),
            ("front-0", None),
        ];
        for (child, cluster) in names {
            assert_eq!(cluster_of_child(child), cluster, "{child}");
        }
        assert_eq!(pod_of_claim("data-eaiser-mongodb-0"), Some("eaiser-mongodb-0"));
        assert_eq!(claim_of_pod("eaiser-mongodb-0"), "data-eaiser-mongodb-0");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cut = truncate(&"é".repeat(1000), 101);
        assert!(cut.len() <= 101 && cut.ends_with('…'), "{cut}");
    }

    #[test]
    fn the_selector_is_part_of_the_labels() {
        let identity = identity("eaiser");
        let labels = identity.labels(Tier::Api);
        assert!(identity.selector(Tier::Api).iter().all(|(key, value)| labels.get(key) == Some(value)));
    }
}
