//! `spec.mongodb.indexes`: indexes that shall exist.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::crd::rules;

/// An index that shall exist. It is built while the database serves, one index at a time, and never
/// dropped: one that is no longer listed here stays until somebody drops it by hand.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(extend("x-kubernetes-validations" = index_rules()))]
#[serde(rename_all = "camelCase")]
pub struct IndexSpec {
    /// Database of the collection. Default: the database the application's user may write, `eaiser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = rules::database()))]
    pub database: Option<String>,
    /// Collection the index belongs to. It is created when it does not exist.
    #[schemars(length(min = 1, max = 120), extend("x-kubernetes-validations" = rules::collection()))]
    pub collection: String,
    /// Name of the index. Default: as MongoDB's drivers name it, for example `email_1` or
    /// `shop_1_created_-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 127), extend("x-kubernetes-validations" = rules::index_name()))]
    pub name: Option<String>,
    /// Fields of the index; their order matters.
    #[schemars(length(min = 1, max = 16))]
    pub keys: Vec<IndexKey>,
    /// Refuse two documents with the same values. Cannot be built while there are such documents.
    /// Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unique: bool,
    /// Leave out documents without the fields. Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sparse: bool,
    /// Delete documents this many seconds after the date in the one field of the index. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub expire_after_seconds: Option<i64>,
}

/// One field of an index.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexKey {
    /// Path of the field. Example: `address.city`.
    #[schemars(length(min = 1, max = 128), extend("x-kubernetes-validations" = rules::field_path()))]
    pub field: String,
    /// `1` ascending, `-1` descending, `text`, `2dsphere` or `hashed`. Default: 1.
    #[serde(default)]
    pub order: IndexOrder,
}

/// How one field of an index is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "IntOrString", into = "IntOrString")]
pub enum IndexOrder {
    /// `1`
    #[default]
    Ascending,
    /// `-1`
    Descending,
    /// `text`
    Text,
    /// `2dsphere`
    Sphere,
    /// `hashed`
    Hashed,
}

/// The orders that are words.
const WORDS: [(IndexOrder, &str); 3] =
    [(IndexOrder::Text, "text"), (IndexOrder::Sphere, "2dsphere"), (IndexOrder::Hashed, "hashed")];

impl IndexOrder {
    /// The word, of an order that is one.
    pub fn word(self) -> Option<&'static str> {
        WORDS.iter().find(|(order, _)| *order == self).map(|(_, word)| *word)
    }
}

impl From<IndexOrder> for IntOrString {
    fn from(order: IndexOrder) -> Self {
        match order.word() {
            Some(word) => Self::String(word.to_owned()),
            None => Self::Int(if order == IndexOrder::Descending { -1 } else { 1 }),
        }
    }
}

impl TryFrom<IntOrString> for IndexOrder {
    type Error = String;

    fn try_from(order: IntOrString) -> Result<Self, String> {
        let known = match &order {
            IntOrString::Int(1) => Some(Self::Ascending),
            IntOrString::Int(-1) => Some(Self::Descending),
            IntOrString::Int(_) => None,
            IntOrString::String(word) => {
                WORDS.iter().find(|(_, known)| known == word).map(|(order, _)| *order)
            }
        };
        known.ok_or_else(|| "must be 1, -1, text, 2dsphere or hashed".to_owned())
    }
}

/// A number or a word, which a schema can only say in Kubernetes' own way.
impl JsonSchema for IndexOrder {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IndexOrder".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            // Said, or kube takes a field with a default for one that may be null.
            "nullable": false,
            "x-kubernetes-validations": rules::index_order(),
        })
    }
}

fn index_rules() -> Value {
    let rule =
        |rule: &str, message: &str, path: &str| json!({"rule": rule, "message": message, "fieldPath": path});
    json!([
        rule(
            "!has(self.expireAfterSeconds) || size(self.keys) == 1",
            "expireAfterSeconds needs an index of exactly one field: MongoDB ignores it or refuses it on others",
            ".expireAfterSeconds",
        ),
        rule(
            "!has(self.unique) || !self.unique || self.keys.all(key, !has(key.order) || key.order != 'hashed')",
            "unique must be false on a hashed index: MongoDB cannot keep hashed values apart",
            ".unique",
        ),
        rule(
            "self.keys.all(key, self.keys.exists_one(other, other.field == key.field))",
            "keys must name each field once",
            ".keys",
        ),
        rule(
            "size(self.keys) != 1 || self.keys[0].field != '_id'",
            "keys must not be _id alone: that index always exists",
            ".keys",
        ),
    ])
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(order: &Value) -> Result<IndexOrder, String> {
        serde_json::from_value(order.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_order_is_read_and_written_as_mongodb_has_it() {
        for (text, order) in [
            (json!(1), IndexOrder::Ascending),
            (json!(-1), IndexOrder::Descending),
            (json!("text"), IndexOrder::Text),
            (json!("2dsphere"), IndexOrder::Sphere),
            (json!("hashed"), IndexOrder::Hashed),
        ] {
            assert_eq!(read(&text).unwrap(), order);
            assert_eq!(serde_json::to_value(order).unwrap(), text);
        }
    }

    #[test]
    fn any_other_order_is_refused_with_those_that_are_right() {
        for text in [json!(0), json!(2), json!("1"), json!("ascending"), json!("2d")] {
            assert!(read(&text).unwrap_err().contains("must be 1, -1, text, 2dsphere or hashed"), "{text}");
        }
    }

    #[test]
    fn a_field_without_an_order_is_ascending() {
        let key: IndexKey = serde_json::from_value(json!({"field": "email"})).unwrap();
        assert_eq!(key.order, IndexOrder::Ascending);
    }
}
