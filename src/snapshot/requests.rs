//! What annotations of a cluster ask for, once. Plain data.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::names::{ANNOTATION_ROTATE_PASSWORD, truncate};

/// Longest value that is kept; longer ones are told apart by their beginning.
const LONGEST: usize = 200;

/// Requests, each known by its value: one that was served already asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// A new password of the API's MongoDB user.
    pub rotate_password: Option<String>,
}

impl Requests {
    /// Of a cluster's metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let value = |key: &str| {
            let value = metadata.annotations.as_ref()?.get(key)?;
            (!value.is_empty()).then(|| truncate(value, LONGEST))
        };
        Self { rotate_password: value(ANNOTATION_ROTATE_PASSWORD) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_absent_annotation_asks_for_nothing_and_a_long_one_is_cut() {
        let with = |value: &str| ObjectMeta {
            annotations: Some([(ANNOTATION_ROTATE_PASSWORD.to_owned(), value.to_owned())].into()),
            ..ObjectMeta::default()
        };
        assert_eq!(Requests::of(&ObjectMeta::default()), Requests::default());
        assert_eq!(Requests::of(&with("")), Requests::default());
        assert_eq!(Requests::of(&with("2026-11")).rotate_password.as_deref(), Some("2026-11"));
        let long = Requests::of(&with(&"x".repeat(100_000))).rotate_password.unwrap();
        assert!(long.len() <= LONGEST, "{}", long.len());
    }
}
