//! Secrets of other people that a spec refers to. Plain data; they are read and never written.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;

use crate::crd::KeyReference;
use crate::password::Password;

/// Values of a Secret by key.
pub type Values = BTreeMap<String, ByteString>;

/// What is known of each Secret that was asked for, by name. One that is not listed was not read yet.
#[derive(Clone, Debug, Default)]
pub struct References(pub BTreeMap<String, Reference>);

/// What is known of one Secret.
#[derive(Clone)]
pub enum Reference {
    /// There is none of that name.
    Missing,
    /// What it holds.
    Found(Arc<Values>),
}

/// Values are secret.
impl std::fmt::Debug for Reference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => formatter.write_str("Missing"),
            Self::Found(values) => formatter.debug_list().entries(values.keys()).finish(),
        }
    }
}

/// Why a key of a Secret is no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It was not read yet, or may not be read.
    #[error("Secret {secret} was not read yet")]
    Unread {
        /// Name of the Secret.
        secret: String,
    },
    /// There is no such Secret.
    #[error("Secret {secret} does not exist: create it with the key {key}")]
    NoSecret {
        /// Name of the Secret.
        secret: String,
        /// Key.
        key: String,
    },
    /// The Secret has no such key.
    #[error("Secret {secret} has no key {key}: add it, or correct passwordSecretRef.key")]
    NoKey {
        /// Name of the Secret.
        secret: String,
        /// Key.
        key: String,
    },
    /// The key is empty.
    #[error("key {key} of Secret {secret} is empty: a password has at least one character")]
    Empty {
        /// Name of the Secret.
        secret: String,
        /// Key.
        key: String,
    },
    /// No login accepts it.
    #[error(
        "key {key} of Secret {secret} holds what no password may hold: it must be UTF-8 text without line breaks and other control characters"
    )]
    NoText {
        /// Name of the Secret.
        secret: String,
        /// Key.
        key: String,
    },
}

impl References {
    /// The password that a reference means.
    ///
    /// # Errors
    /// Why there is none.
    pub fn password(&self, reference: &KeyReference) -> Result<Password, Unusable> {
        let (secret, key) = (reference.name.clone(), reference.key.clone());
        let values = match self.0.get(&reference.name) {
            None => return Err(Unusable::Unread { secret }),
            Some(Reference::Missing) => return Err(Unusable::NoSecret { secret, key }),
            Some(Reference::Found(values)) => values,
        };
        let Some(ByteString(bytes)) = values.get(&reference.key) else {
            return Err(Unusable::NoKey { secret, key });
        };
        if bytes.is_empty() {
            return Err(Unusable::Empty { secret, key });
        }
        match std::str::from_utf8(bytes) {
            // As every client prepares it before it logs in; what fails there could be set and not used.
            Ok(text) if stringprep::saslprep(text).is_ok_and(|prepared| !prepared.is_empty()) => {
                Ok(Password::new(text))
            }
            _ => Err(Unusable::NoText { secret, key }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(yaml: &str) -> References {
        let values: BTreeMap<String, Option<BTreeMap<String, String>>> =
            serde_saphyr::from_str(yaml).unwrap();
        let reference = |values: Option<BTreeMap<String, String>>| match values {
            None => Reference::Missing,
            Some(values) => Reference::Found(Arc::new(
                values.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes()))).collect(),
            )),
        };
        References(values.into_iter().map(|(name, values)| (name, reference(values))).collect())
    }

    fn said(yaml: &str) -> String {
        let reference = KeyReference { name: "login".to_owned(), key: "password".to_owned() };
        match references(yaml).password(&reference) {
            Ok(password) => format!("ok {}", password.expose()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_password_is_taken_as_it_is() {
        for password in ["hunter2", " sp ace ", "p@ss:w/r%d?&#[]", "pässwörd", "密码"] {
            let yaml = serde_json::json!({"login": {"password": password}}).to_string();
            assert_eq!(said(&yaml), format!("ok {password}"));
        }
    }

    #[test]
    fn what_is_no_password_names_the_secret_the_key_and_what_would_be_right() {
        for (yaml, words) in [
            ("{}", "Secret login was not read yet"),
            ("{login: null}", "Secret login does not exist: create it with the key password"),
            ("{login: {other: x}}", "Secret login has no key password: add it"),
            ("{login: {password: ''}}", "key password of Secret login is empty"),
            ("{login: {password: \"line\\n\"}}", "without line breaks"),
            ("{login: {password: \"\\u0007\"}}", "without line breaks"),
            // Mapped to nothing, and so an empty password.
            ("{login: {password: \"\\u00ad\"}}", "holds what no password may hold"),
        ] {
            assert!(said(yaml).contains(words), "{yaml}: {}", said(yaml));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_and_nothing_is_printed_of_them() {
        let values = Values::from([("password".to_owned(), ByteString(vec![0xff, 0xfe]))]);
        let references = References([("login".to_owned(), Reference::Found(Arc::new(values)))].into());
        let reference = KeyReference { name: "login".to_owned(), key: "password".to_owned() };
        assert!(matches!(references.password(&reference), Err(Unusable::NoText { .. })));
        assert_eq!(format!("{references:?}"), r#"References({"login": ["password"]})"#);
    }
}
