//! Passwords of the users of a spec: given by a Secret the spec refers to, or drawn once. Pure.

use super::{Credentials, KEY_PASSWORD, PASSWORD_BYTES, text};
use crate::names::Identity;
use crate::password::Password;
use crate::plan::mongodb::UserPlan;
use crate::snapshot::references::Unusable;
use crate::snapshot::{Children, References};

impl Credentials {
    /// With the passwords of these users. Where the operator draws them, the Secret that holds it says
    /// what it is, and until it does, what was drawn before.
    #[must_use]
    pub fn with_users(
        self,
        users: &[UserPlan],
        (identity, children): (&Identity, &Children),
        references: &References,
        mut random: impl FnMut(&mut [u8]),
    ) -> Self {
        let mut password = |user: &UserPlan| -> Result<Password, Unusable> {
            let name = &user.name.name;
            if let Some(reference) = &user.password {
                return references.password(reference);
            }
            let live = children.secret_value(&identity.mongodb_user(name), KEY_PASSWORD);
            let live = live.filter(|password| !password.expose().is_empty());
            let drawn = self.mongodb_users.get(name).and_then(|password| password.clone().ok());
            Ok(live.or(drawn).unwrap_or_else(|| text(PASSWORD_BYTES, &mut random)))
        };
        let mongodb_users = users.iter().map(|user| (user.name.name.clone(), password(user))).collect();
        Self { mongodb_users, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;

    use super::*;
    use crate::crd::KeyReference;
    use crate::mongo::UserName;
    use crate::snapshot::Reference;

    fn user(name: &str, reference: Option<&str>) -> UserPlan {
        UserPlan {
            name: UserName { name: name.to_owned(), database: "shop".to_owned() },
            roles: BTreeSet::new(),
            password: reference
                .map(|secret| KeyReference { name: secret.to_owned(), key: "password".to_owned() }),
        }
    }

    fn holding(password: &str) -> std::collections::BTreeMap<String, ByteString> {
        [("password".to_owned(), ByteString(password.as_bytes().to_vec()))].into()
    }

    fn read(users: &[UserPlan], before: Credentials, own: Option<(&str, &str)>) -> Credentials {
        let identity = Identity { namespace: "shop".into(), name: "eaiser".into(), uid: String::new() };
        let secret = own.map(|(user, password)| {
            let mut secret = Secret { data: Some(holding(password)), ..Secret::default() };
            secret.metadata.name = Some(identity.mongodb_user(user));
            Arc::new(secret)
        });
        let children = Children { secrets: secret.into_iter().collect(), ..Children::default() };
        let theirs = Reference::Found(Arc::new(holding("theirs")));
        let references =
            References([("login".to_owned(), theirs), ("gone".to_owned(), Reference::Missing)].into());
        before.with_users(users, (&identity, &children), &references, |buffer| buffer.fill(9))
    }

    fn password(credentials: &Credentials, user: &str) -> String {
        credentials.mongodb_users[user].as_ref().unwrap().expose().to_owned()
    }

    #[test]
    fn a_drawn_password_stays_the_same_until_its_secret_comes_back_and_then_for_good() {
        let users = [user("a", None)];
        let first = read(&users, Credentials::placeholder(), None);
        assert_eq!(password(&first, "a").len(), 32);
        let kept = first.clone().with_users(
            &users,
            (
                &Identity { namespace: "shop".into(), name: "eaiser".into(), uid: String::new() },
                &Children::default(),
            ),
            &References::default(),
            |_| panic!("drawn a second time"),
        );
        assert_eq!(kept, first);
        assert_eq!(password(&read(&users, first, Some(("a", "live"))), "a"), "live");
    }

    #[test]
    fn an_emptied_secret_of_ours_gets_a_new_password() {
        let read = read(&[user("a", None)], Credentials::placeholder(), Some(("a", "")));
        assert_eq!(password(&read, "a").len(), 32);
    }

    #[test]
    fn a_given_password_wins_over_the_one_drawn_before() {
        let read = read(&[user("a", Some("login"))], Credentials::placeholder(), Some(("a", "drawn")));
        assert_eq!(password(&read, "a"), "theirs");
    }

    #[test]
    fn a_missing_secret_is_one_users_trouble_alone_and_is_never_replaced_by_a_drawn_password() {
        let users = [user("a", Some("gone")), user("b", None), user("c", Some("never-read"))];
        let read = read(&users, Credentials::placeholder(), Some(("a", "earlier")));
        assert!(matches!(read.mongodb_users["a"], Err(Unusable::NoSecret { .. })));
        assert!(read.mongodb_users["b"].is_ok());
        assert!(matches!(read.mongodb_users["c"], Err(Unusable::Unread { .. })));
    }

    #[test]
    fn users_that_left_are_forgotten_and_every_known_password_is_kept_out_of_texts() {
        let both = read(&[user("a", None), user("b", Some("login"))], Credentials::placeholder(), None);
        assert!(both.secrets().iter().any(|secret| secret.expose() == "theirs"));
        let one = read(&[user("b", Some("login"))], both, None);
        assert_eq!(one.mongodb_users.len(), 1);
    }
}
