//! What the replica set shall be. Pure data.

use std::collections::BTreeSet;

use super::config::{ConfigMember, ReplicaSetConfig};
use super::users::{Role, User, UserName};
use crate::password::Password;

/// The replica set as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Name of the set, as given to every `mongod --replSet`.
    pub replica_set: String,
    /// Members that shall hold data and a vote. Order carries no meaning: members match by host.
    pub members: Vec<WantedMember>,
    /// The one user applications log in as.
    pub application_user: ApplicationUser,
    /// Whether the caller remembers this set as initiated. With it, members that all claim to be
    /// empty are a loss of data to report and never a reason to initiate a second, empty set.
    pub initiated_before: bool,
    /// Users besides the application's, each with exactly these roles.
    pub users: Vec<User>,
    /// Users to drop where they are there.
    pub unwanted_users: BTreeSet<UserName>,
}

/// One planned member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedMember {
    /// Pod name; its trailing number decides which member is initiated first.
    pub pod: String,
    /// Name and port other members and applications dial, `pod.service.namespace.svc.domain:27017`.
    pub host: String,
}

/// The user applications log in as; it may read and write its own database and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationUser {
    /// User name.
    pub name: String,
    /// Database the user is defined in and may use.
    pub database: String,
    /// Password, for SCRAM-SHA-256.
    pub password: Password,
}

impl ApplicationUser {
    /// As any other user.
    pub fn user(&self) -> User {
        let Self { name, database, password } = self;
        let role = Role { name: "readWrite".to_owned(), database: database.clone() };
        User {
            name: UserName { name: name.clone(), database: database.clone() },
            roles: [role].into(),
            password: password.clone(),
        }
    }
}

impl Wanted {
    /// The wanted user of this name, the application's included.
    pub fn user(&self, name: &UserName) -> Option<User> {
        let application = self.application_user.user();
        if application.name == *name {
            return Some(application);
        }
        self.users.iter().find(|user| user.name == *name).cloned()
    }

    /// The wanted member with this host.
    pub fn member(&self, host: &str) -> Option<&WantedMember> {
        self.members.iter().find(|member| member.host == host)
    }

    /// Name of the pod of this StatefulSet that `host` names, wanted or not: by its full name, by a
    /// shorter one, or by its name in another cluster domain. Anything else is somebody else's.
    pub fn pod_of(&self, host: &str) -> Option<String> {
        let pod = host.split([':', '.']).next().filter(|pod| !pod.is_empty())?;
        let sibling = self.members.first()?;
        let (set, _) = sibling.pod.rsplit_once('-')?;
        let number = pod.strip_prefix(set)?.strip_prefix('-')?;
        let is_canonical = number.parse::<u32>().is_ok_and(|parsed| parsed.to_string() == number);
        let full = format!("{pod}{}", sibling.host.strip_prefix(sibling.pod.as_str())?);
        (is_canonical && names_the_same(host, &full)).then(|| pod.to_owned())
    }

    /// Members of a configuration that are no pods of this StatefulSet: somebody added them by hand.
    pub fn strangers<'a>(&self, config: &'a ReplicaSetConfig) -> Vec<&'a ConfigMember> {
        config.members.iter().filter(|entry| self.pod_of(&entry.host).is_none()).collect()
    }

    /// Members by ordinal, so that the outcome does not depend on the order they are listed in.
    pub fn by_ordinal(&self) -> Vec<&WantedMember> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_by_key(|member| (ordinal(&member.pod), &member.pod));
        members
    }
}

/// Whether a host is a full name, a shorter form of it, or the same name in another cluster domain.
fn names_the_same(host: &str, full: &str) -> bool {
    /// Pod, Service, namespace, `svc`: what follows is the cluster domain.
    const BEFORE_THE_DOMAIN: usize = 4;
    let (Some((host, port)), Some((full, full_port))) = (host.rsplit_once(':'), full.rsplit_once(':')) else {
        return false;
    };
    let (labels, full): (Vec<&str>, Vec<&str>) = (host.split('.').collect(), full.split('.').collect());
    let in_another_domain = labels.len() > BEFORE_THE_DOMAIN
        && full.get(..BEFORE_THE_DOMAIN).is_some_and(|full| labels.starts_with(full));
    port == full_port && (full.starts_with(&labels) || in_another_domain)
}

/// The number behind the last dash of a StatefulSet's pod name; names without one sort last.
fn ordinal(pod: &str) -> u32 {
    pod.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_known_by_its_full_name_a_shorter_one_or_one_in_another_domain() {
        let wanted = crate::mongo::fixture::wanted(3);
        for host in [
            "db-0.db.shop.svc.cluster.local:27017",
            "db-0.db.shop.svc.old.example:27017",
            "db-0.db.shop.svc:27017",
            "db-0.db.shop:27017",
            "db-0:27017",
        ] {
            assert_eq!(wanted.pod_of(host).as_deref(), Some("db-0"), "{host}");
        }
        let beyond = "db-7.db.shop.svc.cluster.local:27017";
        assert_eq!(wanted.pod_of(beyond).as_deref(), Some("db-7"), "a pod that is no longer wanted");
    }

    #[test]
    fn every_doubt_makes_a_host_somebody_elses() {
        let wanted = crate::mongo::fixture::wanted(3);
        for host in [
            "db-0.db.other.svc.cluster.local:27017",
            "db-0.db2.shop.svc.cluster.local:27017",
            "db-0.db.shop.svc.cluster.local:27018",
            "db-0.db.shop.svc.cluster.local",
            "db-00.db.shop.svc.cluster.local:27017",
            "db-x.db.shop.svc.cluster.local:27017",
            "reports.example.com:27017",
            "10.1.2.3:27017",
            "db-0.:27017",
            ":27017",
            "",
        ] {
            assert_eq!(wanted.pod_of(host), None, "{host}");
        }
    }

    #[test]
    fn ordinals_sort_as_numbers_not_as_text() {
        let pods = ["db-10", "db-9", "odd"];
        let members = pods.map(|pod| WantedMember { pod: pod.into(), host: format!("{pod}:27017") });
        let wanted = Wanted {
            replica_set: "db".into(),
            members: members.to_vec(),
            application_user: ApplicationUser {
                name: "app".into(),
                database: "app".into(),
                password: Password::new("secret"),
            },
            initiated_before: false,
            users: Vec::new(),
            unwanted_users: BTreeSet::new(),
        };
        let order: Vec<_> = wanted.by_ordinal().into_iter().map(|member| member.pod.as_str()).collect();
        assert_eq!(order, ["db-9", "db-10", "odd"]);
    }
}
