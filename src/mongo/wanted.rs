//! What the replica set shall be. Pure data.

use std::collections::BTreeSet;

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

    /// Members by ordinal, so that the outcome does not depend on the order they are listed in.
    pub fn by_ordinal(&self) -> Vec<&WantedMember> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_by_key(|member| (ordinal(&member.pod), &member.pod));
        members
    }
}

/// The number behind the last dash of a StatefulSet's pod name; names without one sort last.
fn ordinal(pod: &str) -> u32 {
    pod.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

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
