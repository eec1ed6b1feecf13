//! Indexes as `listIndexes` tells them. Pure.

use std::collections::BTreeSet;

use mongodb::bson::{Bson, Document};

use super::{Index, Order};
use crate::mongo::config::integer;

/// One index of a collection, as far as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// It is being built; what follows is what it will be.
    pub building: bool,
    /// Fields and orders, as the server stores them.
    keys: Vec<(String, String)>,
    /// Fields of a text index, which the server stores apart from the keys.
    text: BTreeSet<String>,
    unique: bool,
    sparse: bool,
    expire_after_seconds: Option<i64>,
    /// Options that cannot be declared.
    others: BTreeSet<&'static str>,
}

/// Options that decide what an index holds and that no declaration has.
const OTHERS: [&str; 3] = ["partialFilterExpression", "collation", "hidden"];

impl Listed {
    /// From an entry of `cursor.firstBatch`; with `includeBuildUUIDs`, one that is being built is
    /// `{spec, buildUUID}`.
    pub fn parse(entry: &Document) -> Option<Self> {
        let spec = entry.get_document("spec").unwrap_or(entry);
        let keys = spec.get_document("key").ok()?;
        let weights = spec.get_document("weights").ok();
        Some(Self {
            name: spec.get_str("name").ok()?.to_owned(),
            building: entry.contains_key("buildUUID") || entry.contains_key("indexBuildInfo"),
            keys: keys.iter().map(|(field, order)| (field.clone(), canonical(order))).collect(),
            text: weights.into_iter().flat_map(Document::keys).cloned().collect(),
            unique: spec.get_bool("unique").unwrap_or(false),
            sparse: spec.get_bool("sparse").unwrap_or(false),
            expire_after_seconds: integer(spec, "expireAfterSeconds"),
            others: OTHERS.into_iter().filter(|option| spec.contains_key(option)).collect(),
        })
    }

    /// What the server will list of a declared index.
    pub(super) fn of(index: &Index) -> Self {
        let is_text = |order: Order| order == Order::Word("text");
        let mut keys = Vec::new();
        let mut text = BTreeSet::new();
        for key in &index.keys {
            if !is_text(key.order) {
                keys.push((key.field.clone(), key.order.text().to_owned()));
                continue;
            }
            if text.is_empty() {
                keys.extend([("_fts", "text"), ("_ftsx", "1")].map(|(f, o)| (f.to_owned(), o.to_owned())));
            }
            text.insert(key.field.clone());
        }
        Self {
            name: index.name.clone(),
            keys,
            text,
            unique: index.unique,
            sparse: index.sparse,
            expire_after_seconds: index.expire_after_seconds,
            ..Self::default()
        }
    }

    /// What `found` has otherwise, in words; none when both are the same but for the name.
    pub(super) fn difference(&self, found: &Self) -> Option<String> {
        if (&self.keys, &self.text) != (&found.keys, &found.text) {
            return Some(format!("the keys {}", found.describe_keys()));
        }
        if self.unique != found.unique {
            return Some(format!("unique {}", found.unique));
        }
        if self.sparse != found.sparse {
            return Some(format!("sparse {}", found.sparse));
        }
        if self.expire_after_seconds != found.expire_after_seconds {
            return Some(match found.expire_after_seconds {
                Some(seconds) => format!("expireAfterSeconds {seconds}"),
                None => "no expireAfterSeconds".to_owned(),
            });
        }
        found.others.iter().next().map(|option| format!("the option {option}"))
    }

    fn describe_keys(&self) -> String {
        let keys = self.keys.iter().map(|(field, order)| format!("{field}: {order}"));
        let text = self.text.iter().map(|field| format!("{field}: text"));
        keys.filter(|key| !key.starts_with("_fts")).chain(text).collect::<Vec<_>>().join(", ")
    }
}

/// Every positive number means ascending, every negative one descending.
fn canonical(order: &Bson) -> String {
    let number = match order {
        Bson::Int32(number) => f64::from(*number),
        #[allow(clippy::cast_precision_loss, reason = "only the sign is looked at")]
        Bson::Int64(number) => *number as f64,
        Bson::Double(number) => *number,
        Bson::String(word) => return word.clone(),
        other => return other.to_string(),
    };
    if number < 0.0 { "-1".to_owned() } else { "1".to_owned() }
}
