//! What a status says of database users. Pure.

use super::Pass;
use super::condition::{Verdict, reason};
use crate::crd::MongoDbUserStatus;
use crate::desired::mongodb::Rotation;
use crate::desired::stage::Stage;
use crate::drive;
use crate::mongo::{SeenUser, UserName, UserState};
use crate::plan::mongodb::UserPlan;
use crate::snapshot::children::find;
use crate::snapshot::references::Unusable;

/// The condition about users; none for a cluster that has only the API's.
pub(super) fn verdict(pass: &Pass<'_>) -> Option<Verdict> {
    let users = &pass.plan.mongodb.users;
    let left = drive::users_left(pass.plan, pass.snapshot);
    let rotation = Rotation::of(pass.plan, pass.snapshot);
    if users.is_empty() && left.is_empty() && rotation == Rotation::None {
        return None;
    }
    if !Stage::of(pass.plan, pass.snapshot).mongodb {
        return Some(Verdict::off(reason::STOPPED, "mongodb is stopped"));
    }
    let verdict = blocked(pass, users).or_else(|| unfinished(pass, users)).or_else(|| rotating(&rotation));
    Some(verdict.unwrap_or_else(|| as_specified(users, &left)))
}

/// Users that cannot be made without somebody's help, all of them.
fn blocked(pass: &Pass<'_>, users: &[UserPlan]) -> Option<Verdict> {
    let mut first = None;
    let mut sentences = Vec::new();
    for user in users {
        let trouble = match password_trouble(pass, user) {
            Some(trouble) => Some((reason::CONFIGURATION_MISSING, trouble.to_string())),
            None => seen(pass, &user.name).and_then(|seen| seen.refusal.clone()).map(|refusal| {
                (reason::USER_REFUSED, format!("MongoDB refuses to make it as specified: {refusal}"))
            }),
        };
        if let Some((reason, sentence)) = trouble {
            first.get_or_insert(reason);
            sentences.push(format!("user {}: {sentence}", user.name.name));
        }
    }
    first.map(|reason| Verdict::failing(reason, sentences.join("; ")))
}

/// Users that are on their way.
fn unfinished(pass: &Pass<'_>, users: &[UserPlan]) -> Option<Verdict> {
    if let Some(step) = &pass.driven.mongodb_user {
        let text = step.to_string();
        return Some(match pass.driven.failed.iter().find(|(_, message)| message.contains(&text)) {
            Some((_, message)) => Verdict::off(reason::STEP_FAILED, message.clone()),
            None => Verdict::off(reason::FORMING, format!("MongoDB: {text}")),
        });
    }
    let state = |user: &&UserPlan| seen(pass, &user.name).map(|seen| seen.state);
    let pending = users.iter().find(|user| state(user) != Some(UserState::Matches))?;
    Some(match state(&pending) {
        None | Some(UserState::Unknown) => Verdict::off(
            reason::WAITING,
            format!("MongoDB did not say whether user {} is as specified", pending.name),
        ),
        Some(_) => Verdict::off(reason::FORMING, format!("MongoDB: user {} is next", pending.name)),
    })
}

/// The users are fine, and the API's password is being changed.
fn rotating(rotation: &Rotation) -> Option<Verdict> {
    let sentence = match rotation {
        Rotation::None => return None,
        Rotation::Waits(why) => format!("a new password for the API is asked for: {why}"),
        Rotation::Preparing(next) | Rotation::Switching(next) => {
            format!("the API gets a new password, as user {}", next.user)
        }
        Rotation::Retiring { user, used_by: Some(used_by) } => {
            format!("the API gets a new password; {user} stays valid meanwhile: {used_by}")
        }
        Rotation::Retiring { user, used_by: None } => format!("the API has a new password; {user} goes"),
    };
    Some(Verdict::on(reason::ROTATING, sentence))
}

fn as_specified(users: &[UserPlan], left: &[UserName]) -> Verdict {
    let count = users.len();
    let left: Vec<String> = left.iter().map(ToString::to_string).collect();
    let stays = match left.as_slice() {
        [] => String::new(),
        names => format!(
            "; {} left the spec and can still log in: drop them by spec.mongodb.pruneUsers, or name them again",
            names.join(", ")
        ),
    };
    Verdict::on(reason::USERS_READY, format!("{count} of {count} users are as specified{stays}"))
}

/// Every user of the spec, and those that left it.
pub(super) fn list(pass: &Pass<'_>) -> Vec<MongoDbUserStatus> {
    let line = |name: &UserName, state: &str| {
        let secret = pass.plan.identity.mongodb_user(&name.name);
        MongoDbUserStatus {
            name: name.name.clone(),
            database: name.database.clone(),
            state: state.to_owned(),
            secret: find(&pass.snapshot.children.secrets, &secret).map(|_| secret),
        }
    };
    let wanted = pass.plan.mongodb.users.iter().map(|user| line(&user.name, state(pass, user)));
    let left = drive::users_left(pass.plan, pass.snapshot);
    wanted.chain(left.iter().map(|name| line(name, "Left"))).collect()
}

fn state(pass: &Pass<'_>, user: &UserPlan) -> &'static str {
    if password_trouble(pass, user).is_some() {
        return "Blocked";
    }
    match seen(pass, &user.name) {
        Some(SeenUser { refusal: Some(_), .. }) => "Blocked",
        Some(SeenUser { state: UserState::Matches, .. }) => "Ready",
        None | Some(SeenUser { state: UserState::Unknown, .. }) => "Unknown",
        Some(_) => "Pending",
    }
}

fn seen<'a>(pass: &'a Pass<'_>, name: &UserName) -> Option<&'a SeenUser> {
    pass.snapshot.mongodb.users.as_ref()?.wanted.get(name)
}

/// Why there is no password; what was not read yet is on its way.
fn password_trouble<'a>(pass: &'a Pass<'_>, user: &UserPlan) -> Option<&'a Unusable> {
    let password = pass.snapshot.credentials.mongodb_users.get(&user.name.name)?;
    password.as_ref().err().filter(|trouble| !matches!(trouble, Unusable::Unread { .. }))
}

#[cfg(test)]
mod tests;
