//! Database users: what they shall be, and what the primary says of them. Pure data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sha2::{Digest, Sha256};

use crate::password::Password;

/// A user's name within the database it logs in at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName {
    /// Name.
    pub name: String,
    /// Database the user is defined in, `authSource` of its logins.
    pub database: String,
}

/// A role on a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role {
    /// Name of the role.
    pub name: String,
    /// Database it applies to.
    pub database: String,
}

/// A user that shall exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: UserName,
    /// Exactly what it may do.
    pub roles: BTreeSet<Role>,
    /// Password, for SCRAM-SHA-256.
    pub password: Password,
}

/// One wanted user as the primary knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// No primary, or it did not say.
    Unknown,
    /// There is no such user.
    Missing,
    /// It logs in with the wanted password and has exactly the wanted roles.
    Matches,
    /// The wanted password is refused.
    PasswordDiffers,
    /// Its roles are not exactly the wanted ones.
    RolesDiffer,
}

/// One wanted user, and what stands in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenUser {
    /// How it is.
    pub state: UserState,
    /// Whether its `customData` may be written: it has none, or ours.
    pub may_be_marked: bool,
    /// Why the server refused the very step that would make it as wanted, a moment ago.
    pub refusal: Option<String>,
}

/// Users as the primary knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenUsers {
    /// The wanted ones.
    pub wanted: BTreeMap<UserName, SeenUser>,
    /// Those that are there, are not wanted, and bear our mark or were asked for by name.
    pub others: BTreeSet<UserName>,
}

impl User {
    /// Changes whenever what is wanted of the user does.
    pub fn fingerprint(&self) -> [u8; 32] {
        let roles: Vec<&str> =
            self.roles.iter().flat_map(|role| [role.name.as_str(), &role.database]).collect();
        fingerprint([&[&self.name.name, &self.name.database, self.password.expose()][..], &roles].concat())
    }
}

/// Digest of texts in their order.
pub fn fingerprint<'a>(texts: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for text in texts {
        // The length keeps neighbours apart: "ab" + "c" is not "a" + "bc".
        digest.update(text.len().to_be_bytes());
        digest.update(text.as_bytes());
    }
    digest.finalize().into()
}

impl SeenUsers {
    /// State of a wanted user.
    pub fn state(&self, name: &UserName) -> UserState {
        self.wanted.get(name).map_or(UserState::Unknown, |seen| seen.state)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name, self.database)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.name, self.database)
    }
}
