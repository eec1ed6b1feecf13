//! Rules that admission checks by expression rather than by pattern: a pattern that does not match is
//! answered with itself, an expression with a sentence that says what would be right.

use serde_json::{Value, json};

/// `rule` is CEL over `self`.
fn rule(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}

fn matches(pattern: &str, message: &str) -> Value {
    rule(&format!("self.matches('{pattern}')"), message)
}

/// An image reference.
pub(super) fn image() -> Value {
    json!([matches(
        "^[a-zA-Z0-9][-a-zA-Z0-9._/:@]*$",
        "must be an image reference without blanks, for example registry.example.com/backend:1.4.2"
    )])
}

/// Name of a Secret, a ConfigMap or a StorageClass.
fn object_name() -> Value {
    matches(
        "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
        "must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
    )
}

/// Name of an object in the same namespace.
pub(super) fn reference() -> Value {
    json!([object_name()])
}

/// Key in the data of a Secret or ConfigMap.
pub(super) fn key() -> Value {
    json!([matches("^[-._a-zA-Z0-9]+$", "must be a key of its data: letters, digits, '-', '_' and '.'")])
}

const QUALIFIED: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
const QUALIFIED_WORDS: &str =
    "at most 63 letters, digits, '-', '_' and '.', with an optional DNS prefix and '/'";

/// Key of a label, an annotation or a taint.
pub(super) fn qualified_name() -> Value {
    json!([matches(QUALIFIED, &format!("must be {QUALIFIED_WORDS}"))])
}

fn keys(what: &str) -> Value {
    rule(
        &format!("self.all(key, key.matches('{QUALIFIED}'))"),
        &format!("each key must be {what}: {QUALIFIED_WORDS}"),
    )
}

/// Keys of annotations that somebody adds to a child.
pub(super) fn annotations() -> Value {
    json!([
        keys("an annotation name"),
        rule(
            "self.all(key, !key.startsWith('eaiser.io/'))",
            "annotations under eaiser.io/ belong to the operator"
        ),
    ])
}

/// Keys of labels that somebody adds to pods: those that select them are taken.
pub(super) fn pod_labels() -> Value {
    json!([
        keys("a label name"),
        rule(
            "self.all(key, !key.startsWith('eaiser.io/') && !key.startsWith('app.kubernetes.io/'))",
            "labels under eaiser.io/ and app.kubernetes.io/ select the pods and belong to the operator",
        ),
    ])
}

/// Keys of labels that a node must have.
pub(super) fn node_labels() -> Value {
    json!([keys("a label name")])
}

/// Value of a label.
pub(super) fn label_value() -> Value {
    json!({
        "type": "string",
        "maxLength": 63,
        "x-kubernetes-validations": [matches(
            "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
            "must be a label's value: letters, digits, '-', '_' and '.', with a letter or digit at both ends",
        )],
    })
}

/// Name of an environment variable.
pub(super) fn variable() -> Value {
    json!([matches(
        "^[A-Za-z_][A-Za-z0-9_]*$",
        "must be a variable's name: letters, digits and '_', and no digit first"
    )])
}

/// Name of a database user. The operator's own and the server's are taken.
pub(super) fn database_user() -> Value {
    json!([
        matches(
            "^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$",
            "must be a user's name: letters, digits, '-', '_' and '.', with a letter or digit at both ends"
        ),
        rule(
            "!(self in ['eaiser-app', 'eaiser-app-b'])",
            "eaiser-app and eaiser-app-b are the API's own users, which the operator keeps: choose another name"
        ),
    ])
}

fn database_name() -> Value {
    matches(
        "^[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?$",
        "must be a database's name: letters, digits, '-' and '_', with no '-' at either end",
    )
}

/// Name of a database.
pub(super) fn role_database() -> Value {
    json!([database_name()])
}

/// Name of a database that may have users.
pub(super) fn user_database() -> Value {
    json!([
        database_name(),
        rule(
            "!(self in ['local', 'config'])",
            "local and config are MongoDB's own and have no users: choose another database, or admin"
        ),
    ])
}

/// Name of a role.
pub(super) fn role() -> Value {
    json!([
        // What begins with an underscore is MongoDB's own, `__system` among it.
        matches("^[A-Za-z][-_.A-Za-z0-9]*$", "must be a role's name, for example read or readWrite"),
    ])
}

/// Path of a probe.
pub(super) fn path() -> Value {
    json!([matches(
        "^/[-a-zA-Z0-9._~/%]*$",
        "must be a path that starts with '/', without query or blanks, for example /healthz/ready"
    )])
}

/// A latency.
pub(super) fn latency() -> Value {
    json!([matches(
        "^[1-9][0-9]{0,5}(ms|s)$",
        "must be a whole number of ms or s above 0, for example 500ms or 2s"
    )])
}

/// Start of a link.
pub(super) fn url() -> Value {
    json!([matches(
        "^https?://[-a-zA-Z0-9._~:/%]+$",
        "must be an http or https address without query or blanks, for example https://runbooks.example.com"
    )])
}

/// Labels: keys and values as Kubernetes has them.
pub(super) fn labels() -> Value {
    json!([
        rule(
            "self.all(key, key.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",
            "each key must be a label name: at most 63 letters, digits, '-', '_' and '.', with an optional DNS prefix and '/'"
        ),
        rule(
            "self.all(key, self[key].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))",
            "each value must be a label value: letters, digits, '-', '_' and '.', with a letter or digit at both ends"
        ),
    ])
}

/// Size of a volume that is never resized.
pub(super) fn size() -> Value {
    json!([rule(
        "self.matches('^[0-9]+([KMGT]i|[kMGT])?$') && isQuantity(self) && quantity(self).compareTo(quantity('64Mi')) >= 0",
        "must be a whole quantity of at least 64Mi, for example 25Gi"
    ),])
}

/// StorageClass of a volume that never moves.
pub(super) fn storage_class() -> Value {
    json!([
        object_name(),
        rule(
            "self == oldSelf",
            "storage.className cannot be changed: Kubernetes cannot move a volume to another class"
        ),
    ])
}

/// A MongoDB version.
pub(super) fn version() -> Value {
    json!([matches(
        "^[1-9][0-9]?[.][0-9]{1,2}([.][0-9]{1,3})?$",
        "must be a MongoDB version of two or three numbers, for example 7.0 or 7.0.14"
    )])
}

/// A MongoDB series, as feature compatibility versions are called.
pub(super) fn series() -> Value {
    json!([matches(
        "^[1-9][0-9]?[.][0-9]{1,2}$",
        "must be a feature compatibility version of two numbers, for example 7.0"
    )])
}

/// A database of applications.
pub(super) fn application_database() -> Value {
    json!([
        matches("^[-A-Za-z0-9_]+$", "must be a database's name: letters, digits, '-' and '_'"),
        rule(
            "!(self in ['admin', 'config', 'local'])",
            "must be a database of applications: admin, config and local are MongoDB's own",
        ),
    ])
}

/// A collection of applications.
pub(super) fn collection() -> Value {
    json!([
        matches(
            "^[A-Za-z_][-A-Za-z0-9_]*([.][-A-Za-z0-9_]+)*$",
            "must be a collection's name: letters, digits, '-', '_' and '.', with a letter or '_' first"
        ),
        rule(
            "!self.startsWith('system.')",
            "must not begin with system.: those collections are MongoDB's own"
        )
    ])
}

/// Name of an index.
pub(super) fn index_name() -> Value {
    json!([
        matches(
            "^[A-Za-z0-9_][-A-Za-z0-9_.]*$",
            "must be an index's name: letters, digits, '-', '_' and '.', with a letter, digit or '_' first"
        ),
        rule("self != '_id_'", "must not be _id_: that is the name of the index that always exists")
    ])
}

/// Path of a field in a document.
pub(super) fn field_path() -> Value {
    json!([matches(
        "^[A-Za-z0-9_][-A-Za-z0-9_]*([.][A-Za-z0-9_][-A-Za-z0-9_]*)*$",
        "must be the path of a field: names of letters, digits, '-' and '_' with '.' between them"
    )])
}

/// Order of a field in an index.
pub(super) fn index_order() -> Value {
    json!([rule(
        "string(self) in ['1', '-1', 'text', '2dsphere', 'hashed']",
        "must be 1, -1, text, 2dsphere or hashed",
    )])
}
