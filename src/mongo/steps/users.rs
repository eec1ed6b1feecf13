//! The one next step about users other than the application's, and the commands about all of them.
//! Pure.
//!
//! They are apart from the rules about members: a user that cannot be made holds nothing else up,
//! neither members nor other users.

use mongodb::bson::{Bson, Document, doc};

use super::Step;
use super::command::SERVER_TIME_LIMIT;
use crate::mongo::topology::Topology;
use crate::mongo::users::{SeenUser, User, UserName, UserState};
use crate::mongo::wanted::Wanted;

/// Field of a user's `customData` that marks it as made for the spec. Only marked users are ever
/// dropped for having left it.
pub const MARK: (&str, &str) = ("managedBy", "eaiser-operator");

/// The next step towards the wanted users, by name; none when all that can be done is done, or while
/// no primary has a majority behind it.
pub fn next_of_users(wanted: &Wanted, topology: &Topology) -> Option<Step> {
    let users = topology.users.as_ref().filter(|_| topology.serves())?;
    let mut names: Vec<&UserName> = wanted.users.iter().map(|user| &user.name).collect();
    names.sort();
    let due = names.into_iter().filter_map(|name| due(name, users.wanted.get(name)?));
    let unwanted = users.others.iter().filter(|name| wanted.unwanted_users.contains(name));
    due.chain(unwanted.map(|user| Step::DropUser { user: user.clone() })).next()
}

fn due(name: &UserName, seen: &SeenUser) -> Option<Step> {
    let user = name.clone();
    match seen.state {
        // What the server refused a moment ago it would refuse again, and hold up the others.
        _ if seen.refusal.is_some() => None,
        UserState::Missing => Some(Step::CreateUser { user }),
        UserState::PasswordDiffers | UserState::RolesDiffer => Some(Step::UpdateUser { user }),
        UserState::Matches | UserState::Unknown => None,
    }
}

/// The command of a step about a user; none when the user is not wanted any more.
pub(super) fn document(step: &Step, wanted: &Wanted, topology: &Topology) -> Option<Document> {
    let (command, name) = match step {
        Step::CreateUser { user } => ("createUser", user),
        Step::UpdateUser { user } => ("updateUser", user),
        Step::DropUser { user } => {
            let mut document = doc! { "dropUser": &user.name };
            document.insert("writeConcern", majority());
            return Some(document);
        }
        _ => return None,
    };
    let User { name, roles, password } = wanted.user(name)?;
    let roles: Vec<Bson> =
        roles.iter().map(|role| Bson::from(doc! { "role": &role.name, "db": &role.database })).collect();
    let mut document = doc! {
        command: &name.name,
        "pwd": password.expose(),
        "roles": roles,
        "mechanisms": ["SCRAM-SHA-256"],
    };
    let seen = topology.users.as_ref().and_then(|users| users.wanted.get(&name));
    if seen.is_some_and(|seen| seen.may_be_marked) {
        let (key, value) = MARK;
        document.insert("customData", doc! { key: value });
    }
    document.insert("writeConcern", majority());
    Some(document)
}

fn majority() -> Document {
    doc! { "w": "majority", "wtimeout": SERVER_TIME_LIMIT }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mongo::fixture;
    use crate::mongo::steps::command;
    use crate::mongo::users::{Role, SeenUsers};
    use crate::password::Password;

    const SET: &str = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";

    fn name(text: &str) -> UserName {
        let (name, database) = text.split_once('@').unwrap();
        UserName { name: name.to_owned(), database: database.to_owned() }
    }

    fn wanted(users: &[&str]) -> Wanted {
        let user = |text: &&str| User {
            name: name(text),
            roles: [Role { name: "read".to_owned(), database: "shop".to_owned() }].into(),
            password: Password::new("p@ss"),
        };
        Wanted { users: users.iter().map(user).collect(), ..fixture::wanted(3) }
    }

    fn seen(set: &str, users: &[(&str, UserState, Option<&str>)]) -> Topology {
        let user = |(text, state, refusal): &(&str, UserState, Option<&str>)| {
            let refusal = refusal.map(str::to_owned);
            (name(text), SeenUser { state: *state, may_be_marked: true, refusal })
        };
        let wanted = users.iter().map(user).collect();
        Topology { users: Some(SeenUsers { wanted, ..SeenUsers::default() }), ..fixture::topology(set) }
    }

    fn create(user: &str) -> Step {
        Step::CreateUser { user: name(user) }
    }

    fn update(user: &str) -> Step {
        Step::UpdateUser { user: name(user) }
    }

    use UserState::{Matches, Missing, PasswordDiffers, RolesDiffer, Unknown};

    #[test]
    fn each_state_of_a_user_has_its_step() {
        for (state, step) in [
            (Missing, Some(create("a@shop"))),
            (PasswordDiffers, Some(update("a@shop"))),
            (RolesDiffer, Some(update("a@shop"))),
            (Matches, None),
            (Unknown, None),
        ] {
            let topology = seen(SET, &[("a@shop", state, None)]);
            assert_eq!(next_of_users(&wanted(&["a@shop"]), &topology), step, "{state:?}");
        }
    }

    #[test]
    fn users_come_one_at_a_time_by_name_whatever_the_order_in_the_spec() {
        let topology = seen(SET, &[("b@shop", Missing, None), ("a@shop", Missing, None)]);
        assert_eq!(next_of_users(&wanted(&["b@shop", "a@shop"]), &topology), Some(create("a@shop")));
        let topology = seen(SET, &[("b@shop", Missing, None), ("a@shop", Matches, None)]);
        assert_eq!(next_of_users(&wanted(&["b@shop", "a@shop"]), &topology), Some(create("b@shop")));
    }

    #[test]
    fn a_user_that_the_server_refuses_does_not_hold_up_the_next() {
        let topology =
            seen(SET, &[("a@shop", Missing, Some("Could not find role")), ("b@shop", Missing, None)]);
        assert_eq!(next_of_users(&wanted(&["a@shop", "b@shop"]), &topology), Some(create("b@shop")));
    }

    #[test]
    fn a_set_without_a_majority_or_an_answer_is_asked_for_nothing() {
        for set in ["0 SECONDARY vote\n 1 SECONDARY vote", "0 PRIMARY vote\n 1 unreachable vote"] {
            let topology = seen(set, &[("a@shop", Missing, None)]);
            assert_eq!(next_of_users(&wanted(&["a@shop"]), &topology), None, "{set}");
        }
        let silent = Topology { users: None, ..fixture::topology(SET) };
        assert_eq!(next_of_users(&wanted(&["a@shop"]), &silent), None);
    }

    #[test]
    fn only_an_unwanted_user_that_is_there_is_dropped_and_after_all_others() {
        let mut topology = seen(SET, &[("a@shop", Missing, None)]);
        topology.users.as_mut().unwrap().others = [name("old@shop"), name("left@shop")].into();
        let mut wanted = wanted(&["a@shop"]);
        wanted.unwanted_users = [name("old@shop"), name("gone@shop")].into();
        assert_eq!(next_of_users(&wanted, &topology), Some(create("a@shop")));
        topology.users.as_mut().unwrap().wanted.get_mut(&name("a@shop")).unwrap().state = Matches;
        assert_eq!(next_of_users(&wanted, &topology), Some(Step::DropUser { user: name("old@shop") }));
        topology.users.as_mut().unwrap().others = [name("left@shop")].into();
        assert_eq!(next_of_users(&wanted, &topology), None);
    }

    fn sent(step: &Step, topology: &Topology) -> (String, Document) {
        let command = command(step, &wanted(&["a@shop"]), topology).unwrap().unwrap();
        assert!(!format!("{command:?}").contains("p@ss"));
        (command.database, command.document)
    }

    #[test]
    fn commands_state_the_outcome_and_go_to_the_database_of_the_user() {
        let topology = seen(SET, &[("a@shop", Missing, None)]);
        for (step, word) in [(create("a@shop"), "createUser"), (update("a@shop"), "updateUser")] {
            let (database, document) = sent(&step, &topology);
            assert_eq!(database, "shop");
            assert_eq!(
                document,
                doc! {
                    word: "a",
                    "pwd": "p@ss",
                    "roles": [{ "role": "read", "db": "shop" }],
                    "mechanisms": ["SCRAM-SHA-256"],
                    "customData": { "managedBy": "eaiser-operator" },
                    "writeConcern": { "w": "majority", "wtimeout": 5_000 },
                }
            );
        }
        let (database, document) = sent(&Step::DropUser { user: name("old@bank") }, &topology);
        assert_eq!(database, "bank");
        assert_eq!(
            document,
            doc! { "dropUser": "old", "writeConcern": { "w": "majority", "wtimeout": 5_000 } }
        );
    }

    #[test]
    fn what_somebody_keeps_in_custom_data_stays() {
        let mut topology = seen(SET, &[("a@shop", RolesDiffer, None)]);
        topology.users.as_mut().unwrap().wanted.get_mut(&name("a@shop")).unwrap().may_be_marked = false;
        let (_, document) = sent(&update("a@shop"), &topology);
        assert!(!document.contains_key("customData"), "{document}");
    }

    #[test]
    fn a_step_about_a_user_that_left_the_spec_meanwhile_is_no_command() {
        let topology = fixture::topology(SET);
        let step = Step::UpdateUser { user: name("b@shop") };
        assert_eq!(command(&step, &wanted(&["a@shop"]), &topology).unwrap(), None);
    }
}
