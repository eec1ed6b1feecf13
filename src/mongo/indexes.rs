//! Indexes that are declared, held against those a collection has. Pure.
//!
//! An index is told apart by its name. One that exists under its name with other keys or options is
//! said to be in the way and never dropped: what it serves is not known here.

mod listed;
#[cfg(test)]
mod tests;

use std::fmt;

use mongodb::bson::{Bson, Document, doc};

use crate::crd::IndexOrder;
pub use listed::Listed;

/// One declared index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Index {
    /// Collection it belongs to.
    pub collection: Namespace,
    /// Its name.
    pub name: String,
    /// Its fields, in order.
    pub keys: Vec<Key>,
    /// No two documents may have the same values.
    pub unique: bool,
    /// Documents without the fields are left out.
    pub sparse: bool,
    /// Documents are deleted this long after the date in the field.
    pub expire_after_seconds: Option<i64>,
}

/// A collection of a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace {
    /// Database.
    pub database: String,
    /// Collection.
    pub collection: String,
}

/// One field of an index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Path of the field.
    pub field: String,
    /// How it is ordered.
    pub order: Order,
}

/// How a field is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// `1`
    Ascending,
    /// `-1`
    Descending,
    /// A word, such as `hashed`.
    Word(&'static str),
}

/// How a declared index stands to those its collection has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    Ready,
    /// It is there and not built yet.
    Building,
    /// It is not there.
    Missing,
    /// Another one is in its way; the sentence says which and what to do.
    Blocked(String),
}

impl fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.database, self.collection)
    }
}

impl From<IndexOrder> for Order {
    fn from(order: IndexOrder) -> Self {
        match order.word() {
            Some(word) => Self::Word(word),
            None if order == IndexOrder::Descending => Self::Descending,
            None => Self::Ascending,
        }
    }
}

impl Order {
    fn value(self) -> Bson {
        match self {
            Self::Ascending => Bson::Int32(1),
            Self::Descending => Bson::Int32(-1),
            Self::Word(word) => Bson::String(word.to_owned()),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Ascending => "1",
            Self::Descending => "-1",
            Self::Word(word) => word,
        }
    }
}

/// The name that drivers give an index: fields and orders with `_` between them.
pub fn default_name(keys: &[Key]) -> String {
    keys.iter().map(|key| format!("{}_{}", key.field, key.order.text())).collect::<Vec<_>>().join("_")
}

impl Index {
    /// `createIndexes`, on the index' database. The server builds on all voting members at once and
    /// goes on serving; majority writes wait for none of it.
    pub fn command(&self) -> Document {
        let keys: Document = self.keys.iter().map(|key| (key.field.clone(), key.order.value())).collect();
        let mut index = doc! { "key": keys, "name": &self.name };
        if self.unique {
            index.insert("unique", true);
        }
        if self.sparse {
            index.insert("sparse", true);
        }
        if let Some(seconds) = self.expire_after_seconds {
            index.insert("expireAfterSeconds", seconds);
        }
        doc! {
            "createIndexes": &self.collection.collection,
            "indexes": [index],
            "writeConcern": { "w": "majority" },
        }
    }

    /// How it stands to `listed`, the indexes of its collection.
    pub fn standing(&self, listed: &[Listed]) -> Standing {
        let wanted = Listed::of(self);
        if let Some(found) = listed.iter().find(|listed| listed.name == self.name) {
            return match wanted.difference(found) {
                Some(difference) => Standing::Blocked(format!(
                    "an index of this name exists with {difference}: drop it, or declare this one under another name"
                )),
                None if found.building => Standing::Building,
                None => Standing::Ready,
            };
        }
        match listed.iter().find(|found| wanted.difference(found).is_none()) {
            Some(same) => Standing::Blocked(format!(
                "the same index exists under the name {}: declare it by that name, or drop it",
                same.name
            )),
            None => Standing::Missing,
        }
    }
}

/// A sentence of the server without what may be data of users: from the first brace on, it quotes
/// documents.
pub fn without_values(sentence: &str) -> String {
    const LONGEST: usize = 300;
    let cut = sentence.split('{').next().unwrap_or_default().trim_end();
    let cut = cut.strip_suffix("dup key:").map_or(cut, str::trim_end);
    let quoted = cut.len() < sentence.trim_end().len();
    let short = crate::names::truncate(cut, LONGEST);
    if quoted { format!("{short} (values not shown)") } else { short }
}
