//! The API's login to MongoDB and the one that follows it, as their Secrets tell. Pure.

use kube::ResourceExt;

use super::{KEY_PASSWORD, KEY_USERNAME, PASSWORD_BYTES, text};
use crate::names::{ANNOTATION_ROTATE_PASSWORD, APPLICATION_USER, APPLICATION_USER_B, Identity};
use crate::password::Password;
use crate::snapshot::Children;
use crate::snapshot::children::find;

/// Which of its two users the API logs in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationLogin {
    /// The user of the connection Secret.
    pub user: &'static str,
    /// The connection Secret exists.
    pub recorded: bool,
    /// The request for a new password that the connection Secret served.
    pub served: Option<String>,
    /// The login that is to follow, once its Secret exists.
    pub next: Option<NextLogin>,
    /// A new password for the next one that is asked for.
    pub spare: Password,
}

/// A login that is made before it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextLogin {
    /// User.
    pub user: &'static str,
    /// Its password.
    pub password: Password,
    /// The request it serves.
    pub request: String,
}

impl ApplicationLogin {
    /// Of a cluster that has no Secrets yet.
    pub(super) fn new(spare: Password) -> Self {
        Self { user: APPLICATION_USER, recorded: false, served: None, next: None, spare }
    }

    /// The user that is not in use.
    pub fn other(&self) -> &'static str {
        if self.user == APPLICATION_USER { APPLICATION_USER_B } else { APPLICATION_USER }
    }

    /// What the live Secrets say.
    pub(super) fn or_live(self, identity: &Identity, children: &Children) -> Self {
        let connection = identity.mongodb_connection();
        let live = find(&children.secrets, &connection);
        Self {
            user: user(children, &connection).unwrap_or(APPLICATION_USER),
            recorded: live.is_some(),
            served: live.and_then(|live| live.annotations().get(ANNOTATION_ROTATE_PASSWORD).cloned()),
            next: next(identity, children),
            spare: self.spare,
        }
    }

    /// With another spare password, once the one it had is in use as `password`.
    #[must_use]
    pub fn with_unused_spare(self, password: &Password, random: &mut impl FnMut(&mut [u8])) -> Self {
        if self.spare == *password { Self { spare: text(PASSWORD_BYTES, random), ..self } } else { self }
    }
}

fn next(identity: &Identity, children: &Children) -> Option<NextLogin> {
    let secret = identity.mongodb_next_login();
    let request = find(&children.secrets, &secret)?.annotations().get(ANNOTATION_ROTATE_PASSWORD)?.clone();
    let password = children.secret_value(&secret, KEY_PASSWORD).filter(|text| !text.expose().is_empty())?;
    Some(NextLogin { user: user(children, &secret)?, password, request })
}

/// One of the two names; what somebody else wrote into the Secret is not followed.
fn user(children: &Children, secret: &str) -> Option<&'static str> {
    let name = children.secret_value(secret, KEY_USERNAME)?;
    [APPLICATION_USER, APPLICATION_USER_B].into_iter().find(|known| *known == name.expose())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;

    use super::*;

    fn identity() -> Identity {
        Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: String::new() }
    }

    fn secret(name: &str, user: &str, password: &str, request: Option<&str>) -> Secret {
        use base64::Engine;
        let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let mut object = json!({
            "metadata": {"name": name},
            "data": {"username": encoded(user), "password": encoded(password)},
        });
        if let Some(request) = request {
            object["metadata"]["annotations"] = json!({"mongodb.eaiser.io/rotate-password": request});
        }
        serde_json::from_value(object).unwrap()
    }

    fn read(secrets: Vec<Secret>) -> ApplicationLogin {
        let secrets = secrets.into_iter().map(Into::into).collect();
        let children = Children { secrets, ..Children::default() };
        ApplicationLogin::new(Password::new("spare")).or_live(&identity(), &children)
    }

    #[test]
    fn without_secrets_it_is_the_first_user_and_nothing_was_served() {
        assert_eq!(read(Vec::new()), ApplicationLogin::new(Password::new("spare")));
    }

    #[test]
    fn the_secrets_tell_the_user_in_use_the_one_to_come_and_the_requests_they_serve() {
        let login = read(vec![
            secret("eaiser-mongodb-connection", "eaiser-app-b", "old", Some("1")),
            secret("eaiser-mongodb-next-login", "eaiser-app", "new", Some("2")),
        ]);
        let next = NextLogin { user: "eaiser-app", password: Password::new("new"), request: "2".to_owned() };
        assert_eq!((login.user, login.other(), login.recorded), ("eaiser-app-b", "eaiser-app", true));
        assert_eq!((login.served.as_deref(), login.next), (Some("1"), Some(next)));
    }

    #[test]
    fn a_next_login_that_somebody_damaged_counts_as_none() {
        for damaged in [
            secret("eaiser-mongodb-next-login", "root", "new", Some("2")),
            secret("eaiser-mongodb-next-login", "eaiser-app", "", Some("2")),
            secret("eaiser-mongodb-next-login", "eaiser-app", "new", None),
        ] {
            assert_eq!(read(vec![damaged]).next, None);
        }
    }

    #[test]
    fn a_spare_password_is_never_used_twice() {
        let login = ApplicationLogin::new(Password::new("spare"));
        let mut random = |buffer: &mut [u8]| buffer.fill(3);
        let kept = login.clone().with_unused_spare(&Password::new("current"), &mut random);
        assert_eq!(kept, login);
        let renewed = login.clone().with_unused_spare(&Password::new("spare"), &mut random);
        assert_ne!(renewed.spare, login.spare);
    }
}
