//! Passwords of one cluster: taken from its Secrets, or drawn once. Pure; randomness comes in.

mod application;
mod users;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Children;
use super::references::Unusable;
use crate::mongo::keyfile;
use crate::names::Identity;
use crate::password::Password;
pub use application::{ApplicationLogin, NextLogin};

/// Key of a user's name in its Secret.
pub const KEY_USERNAME: &str = "username";
/// Key of the keyfile in its Secret.
pub const KEY_KEYFILE: &str = "keyfile";
/// Key of a password in its Secret.
pub const KEY_PASSWORD: &str = "password";
/// Key of the Redis connection string in its Secret.
pub const KEY_URL: &str = "url";
/// Bytes of randomness in a password; 192 bits.
const PASSWORD_BYTES: usize = 24;
/// Bytes of randomness in the keyfile; base64 makes 768 characters of them, mongod allows 1,024.
const KEYFILE_BYTES: usize = 576;

/// Every secret text of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// What the members of the replica set, and the operator, authenticate with.
    pub mongodb_keyfile: Password,
    /// The key that the next rotation of the keyfile brings in.
    pub mongodb_next_key: Password,
    /// Password of the application's MongoDB user.
    pub mongodb_password: Password,
    /// Password of every Redis client and replica.
    pub redis_password: Password,
    /// Whose password `mongodb_password` is, and what comes after it.
    pub mongodb_application: ApplicationLogin,
    /// Passwords of the users of the spec by name, or why there is none.
    pub mongodb_users: BTreeMap<String, Result<Password, Unusable>>,
}

impl Credentials {
    /// A complete set of new ones; `random` fills a buffer.
    pub fn draw(mut random: impl FnMut(&mut [u8])) -> Self {
        Self {
            mongodb_keyfile: text(KEYFILE_BYTES, &mut random),
            mongodb_next_key: text(KEYFILE_BYTES, &mut random),
            mongodb_password: text(PASSWORD_BYTES, &mut random),
            redis_password: text(PASSWORD_BYTES, &mut random),
            mongodb_application: ApplicationLogin::new(text(PASSWORD_BYTES, &mut random)),
            mongodb_users: BTreeMap::new(),
        }
    }

    /// What the cluster's live Secrets hold, and `self` for those that do not exist yet.
    #[must_use]
    pub fn or_live(self, identity: &Identity, children: &Children) -> Self {
        let live = |secret: String, key: &str| children.secret_value(&secret, key);
        let keyfile = live(identity.mongodb_keyfile(), KEY_KEYFILE);
        let mongodb = live(identity.mongodb_connection(), KEY_PASSWORD);
        // Two Secrets carry this one, and an operator may die between them.
        let redis = live(identity.redis_credentials(), KEY_PASSWORD)
            .or_else(|| password_of(&live(identity.redis_connection(), KEY_URL)?));
        Self {
            mongodb_keyfile: keyfile.unwrap_or(self.mongodb_keyfile),
            mongodb_next_key: self.mongodb_next_key,
            mongodb_password: mongodb.unwrap_or(self.mongodb_password),
            redis_password: redis.unwrap_or(self.redis_password),
            mongodb_application: self.mongodb_application.or_live(identity, children),
            mongodb_users: self.mongodb_users,
        }
    }

    /// Whether the key for the next rotation was brought in, so that another must be drawn.
    pub fn has_used_next_key(&self) -> bool {
        keyfile::keys(&self.mongodb_keyfile).contains(&self.mongodb_next_key)
    }

    /// Every one of them, for texts that must hold none.
    pub fn secrets(&self) -> Vec<Password> {
        let mut secrets = keyfile::keys(&self.mongodb_keyfile);
        let application = &self.mongodb_application;
        let others = [
            &self.mongodb_keyfile,
            &self.mongodb_next_key,
            &self.mongodb_password,
            &self.redis_password,
            &application.spare,
        ];
        secrets.extend(others.map(Clone::clone));
        secrets.extend(application.next.as_ref().map(|next| next.password.clone()));
        secrets.extend(self.mongodb_users.values().filter_map(|password| password.clone().ok()));
        secrets
    }

    /// For output that people read: no secret is drawn.
    pub fn placeholder() -> Self {
        let text = || Password::new("<generated>");
        Self {
            mongodb_keyfile: text(),
            mongodb_next_key: text(),
            mongodb_password: text(),
            redis_password: text(),
            mongodb_application: ApplicationLogin::new(text()),
            mongodb_users: BTreeMap::new(),
        }
    }
}

/// A new secret text.
fn text(bytes: usize, random: &mut impl FnMut(&mut [u8])) -> Password {
    let mut buffer = vec![0; bytes];
    random(&mut buffer);
    // Letters and digits only: base64's other three characters would need escaping in URIs
    // and in the shells of people who debug.
    Password::new(STANDARD.encode(buffer).replace(['+', '/', '='], "x"))
}

/// The password in a connection string of ours, `redis://:PASSWORD@HOST`.
fn password_of(url: &Password) -> Option<Password> {
    let (_, rest) = url.expose().split_once("://:")?;
    let (password, _) = rest.split_once('@')?;
    Some(Password::new(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;
    use kube::api::ObjectMeta;

    use super::*;

    fn identity() -> Identity {
        Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: String::new() }
    }

    fn secret(name: &str, key: &str, value: &str) -> Secret {
        Secret {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            data: Some(BTreeMap::from([(key.to_owned(), ByteString(value.as_bytes().to_vec()))])),
            ..Secret::default()
        }
    }

    #[test]
    fn a_live_password_is_kept() {
        let children = Children {
            secrets: vec![secret("eaiser-redis-credentials", "password", "old").into()],
            ..Children::default()
        };
        let drawn = Credentials::draw(|buffer| buffer.fill(7));
        let credentials = drawn.clone().or_live(&identity(), &children);
        assert_eq!(credentials.redis_password.expose(), "old");
        assert_eq!(credentials.mongodb_password, drawn.mongodb_password);
    }

    #[test]
    fn a_redis_password_that_only_the_connection_string_holds_is_kept() {
        let url = secret("eaiser-redis-connection", "url", "redis://:old@eaiser-redis.shop.svc:6379");
        let children = Children { secrets: vec![url.into()], ..Children::default() };
        let credentials = Credentials::draw(|buffer| buffer.fill(7)).or_live(&identity(), &children);
        assert_eq!(credentials.redis_password.expose(), "old");
    }

    #[test]
    fn a_connection_string_without_a_password_counts_as_none() {
        let url = secret("eaiser-redis-connection", "url", "redis://eaiser-redis.shop.svc:6379");
        let children = Children { secrets: vec![url.into()], ..Children::default() };
        let drawn = Credentials::draw(|buffer| buffer.fill(7));
        assert_eq!(drawn.clone().or_live(&identity(), &children), drawn);
    }

    #[test]
    fn a_new_password_needs_no_escaping() {
        let credentials = Credentials::draw(|buffer| buffer.fill(0xff));
        assert!(credentials.mongodb_password.expose().chars().all(|c| c.is_ascii_alphanumeric()));
        assert!(credentials.mongodb_keyfile.expose().len() <= 1024, "mongod refuses longer keyfiles");
    }

    #[test]
    fn a_key_that_was_rotated_in_is_used_up() {
        let drawn = Credentials::draw(|buffer| buffer.fill(7));
        let secret = |text: &str| Children {
            secrets: vec![secret("eaiser-mongodb-keyfile", "keyfile", text).into()],
            ..Children::default()
        };
        let both = keyfile::both(&Password::new("old"), &drawn.mongodb_next_key);
        for (text, used) in [("old", false), (both.expose(), true)] {
            assert_eq!(drawn.clone().or_live(&identity(), &secret(text)).has_used_next_key(), used);
        }
    }

    #[test]
    fn each_key_of_a_keyfile_is_a_secret_of_its_own() {
        let mut credentials = Credentials::placeholder();
        credentials.mongodb_keyfile = keyfile::both(&Password::new("one"), &Password::new("two"));
        let secrets = credentials.secrets();
        assert!(["one", "two"].iter().all(|key| secrets.contains(&Password::new(*key))));
    }
}
