//! Asks the primary about users, in one question, and tries the logins that are not known to work. IO.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::future::join_all;
use mongodb::bson::{Bson, Document, doc};

use super::{Credentials, Target, ask};
use crate::mongo::connections::{Connections, Login};
use crate::mongo::driver::failure::Failure;
use crate::mongo::reply::{self, UserInfo};
use crate::mongo::steps::MARK;
use crate::mongo::users::{SeenUser, SeenUsers, User, UserName, UserState, fingerprint};

/// Logins tried at a time; a server spends some milliseconds of CPU on each.
const CONCURRENT_LOGINS: usize = 4;

/// The application user and all others; none when the primary did not say.
pub(super) async fn observe(
    target: &Target,
    credentials: &Credentials,
    connections: &Connections,
) -> Option<(UserState, SeenUsers)> {
    let known = known(credentials, &connections.known(&target.host)?).await?;
    let application = credentials.application_user.user();
    let primary = Primary { target, connections, known: &known };
    let state = primary.state(&application).await;
    let mut wanted = BTreeMap::new();
    for users in credentials.users.chunks(CONCURRENT_LOGINS) {
        wanted.extend(join_all(users.iter().map(|user| primary.seen(user))).await);
    }
    let is_other = |(name, info): &(&UserName, &UserInfo)| {
        let ours = info.marked || credentials.asked_for.contains(name);
        ours && **name != application.name && !wanted.contains_key(name)
    };
    let others = known.iter().filter(is_other).map(|(name, _)| name.clone()).collect();
    Some((state, SeenUsers { wanted, others }))
}

/// Every user that is wanted, asked for or marked, as far as it exists. The filter only spares the
/// reply those of other people; who is one of ours is decided here.
async fn known(credentials: &Credentials, client: &mongodb::Client) -> Option<BTreeMap<UserName, UserInfo>> {
    let application = credentials.application_user.user().name;
    let names = credentials.users.iter().map(|user| &user.name).chain(&credentials.asked_for);
    let ids: Vec<Bson> =
        names.chain([&application]).map(|name| format!("{}.{}", name.database, name.name).into()).collect();
    let (key, mark) = MARK;
    let mut marked = Document::new();
    marked.insert(format!("customData.{key}"), mark);
    let question = doc! {
        "usersInfo": { "forAllDBs": true },
        "filter": { "$or": [{ "_id": { "$in": ids } }, marked] },
        "showCredentials": true,
    };
    let reply = ask(client, "admin", question).await.ok()?;
    reply::users(&reply).ok()
}

/// The member that users are asked of.
struct Primary<'a> {
    target: &'a Target,
    connections: &'a Connections,
    known: &'a BTreeMap<UserName, UserInfo>,
}

impl Primary<'_> {
    async fn seen(&self, user: &User) -> (UserName, SeenUser) {
        let seen = SeenUser {
            state: self.state(user).await,
            may_be_marked: self.known.get(&user.name).is_none_or(|info| info.may_be_marked),
            refusal: self.connections.refusal(user, Instant::now()),
        };
        (user.name.clone(), seen)
    }

    async fn state(&self, user: &User) -> UserState {
        let Some(info) = self.known.get(&user.name) else {
            return UserState::Missing;
        };
        if info.roles.as_ref().is_some_and(|roles| *roles != user.roles) {
            return UserState::RolesDiffer;
        }
        let login = self.login(user, info.credentials.as_ref());
        if self.connections.is_verified(&user.name, &login) {
            return UserState::Matches;
        }
        let UserName { name, database } = &user.name;
        let password = user.password.expose().to_owned();
        let Some(address) = self.target.address else {
            return UserState::Unknown;
        };
        let member = (self.target.host.as_str(), address);
        let Ok(client) = self.connections.client(member, name, database, password) else {
            return UserState::Unknown;
        };
        // Every user may ask who it is, whatever its roles.
        match ask(&client, database, doc! { "connectionStatus": 1 }).await {
            Ok(_) => {
                self.connections.set_verified(user.name.clone(), login);
                UserState::Matches
            }
            Err(Failure::Refused { .. }) => UserState::PasswordDiffers,
            Err(_) => UserState::Unknown,
        }
    }

    /// Changes whenever a login that worked might no longer work.
    fn login(&self, user: &User, stored: Option<&Document>) -> Login {
        let address = self.target.address.map(|address| address.to_string()).unwrap_or_default();
        let stored = stored.map(ToString::to_string).unwrap_or_default();
        fingerprint([self.target.host.as_str(), &address, user.password.expose(), &stored])
    }
}
