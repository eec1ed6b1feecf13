//! Database users besides the API's own.

use std::collections::BTreeSet;

use crate::crd::{DatabaseUser, KeyReference};
use crate::mongo::{Role, UserName};
use crate::names::{APPLICATION_USER, APPLICATION_USER_B};
use crate::plan::Problem;

/// A user that shall exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPlan {
    /// Its name and the database it logs in at.
    pub name: UserName,
    /// Exactly what it may do.
    pub roles: BTreeSet<Role>,
    /// Where its password is; none when the operator draws it.
    pub password: Option<KeyReference>,
}

/// Plans the users, by name.
pub(super) fn plan(users: &[DatabaseUser], problems: &mut Vec<Problem>) -> Vec<UserPlan> {
    let mut names = BTreeSet::new();
    for (index, user) in users.iter().enumerate() {
        let field = || format!("spec.mongodb.users[{index}].name");
        // Admission says both already; objects that were stored before it knew the rules do not.
        if [APPLICATION_USER, APPLICATION_USER_B].contains(&user.name.as_str()) {
            let message =
                format!("{} is the API's own user, which the operator keeps: choose another name", user.name);
            problems.push(Problem::new(field(), message));
        }
        if !names.insert(&user.name) {
            problems.push(Problem::new(field(), format!("{} is listed twice: keep one of them", user.name)));
        }
    }
    let mut plans: Vec<UserPlan> = users.iter().map(planned).collect();
    plans.sort_by(|a, b| a.name.cmp(&b.name));
    plans
}

fn planned(user: &DatabaseUser) -> UserPlan {
    let role = |role: &crate::crd::DatabaseRole| Role {
        name: role.role.clone(),
        database: role.database.as_ref().unwrap_or(&user.database).clone(),
    };
    UserPlan {
        name: UserName { name: user.name.clone(), database: user.database.clone() },
        roles: user.roles.iter().map(role).collect(),
        password: user.password_secret_ref.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::APPLICATION_DATABASE;

    fn users(yaml: &str) -> Vec<DatabaseUser> {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn planned_from(yaml: &str) -> Vec<UserPlan> {
        let mut problems = Vec::new();
        let plans = plan(&users(yaml), &mut problems);
        assert_eq!(problems, []);
        plans
    }

    fn problems_of(yaml: &str) -> Vec<String> {
        let mut problems = Vec::new();
        plan(&users(yaml), &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_alone_is_a_user_that_reads_and_writes_the_apis_database() {
        let plan = planned_from("[{name: worker}]");
        let name = UserName { name: "worker".to_owned(), database: APPLICATION_DATABASE.to_owned() };
        let role = Role { name: "readWrite".to_owned(), database: APPLICATION_DATABASE.to_owned() };
        assert_eq!(plan, [UserPlan { name, roles: [role].into(), password: None }]);
    }

    #[test]
    fn a_role_without_a_database_is_one_on_the_users_own() {
        let plan =
            planned_from("[{name: a, database: shop, roles: [{role: read}, {role: read, database: bank}]}]");
        let roles: Vec<String> = plan[0].roles.iter().map(ToString::to_string).collect();
        assert_eq!(roles, ["read on bank", "read on shop"]);
    }

    #[test]
    fn the_order_in_the_list_carries_no_meaning() {
        assert_eq!(planned_from("[{name: b}, {name: a}]"), planned_from("[{name: a}, {name: b}]"));
        assert_eq!(
            planned_from("[{name: a, roles: [{role: read}, {role: dbAdmin}]}]"),
            planned_from("[{name: a, roles: [{role: dbAdmin}, {role: read}, {role: read}]}]"),
        );
    }

    #[test]
    fn the_apis_own_users_and_twice_the_same_are_problems_that_name_the_entry() {
        assert_eq!(
            problems_of("[{name: a}, {name: eaiser-app-b}, {name: a, database: shop}]"),
            [
                "spec.mongodb.users[1].name: eaiser-app-b is the API's own user, which the operator keeps: choose another name",
                "spec.mongodb.users[2].name: a is listed twice: keep one of them",
            ]
        );
    }
}
