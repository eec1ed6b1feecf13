//! Declared indexes against listed ones.

use mongodb::bson::Uuid;

use super::*;

const ORDERS: [(&str, Order); 5] = [
    ("1", Order::Ascending),
    ("-1", Order::Descending),
    ("text", Order::Word("text")),
    ("hashed", Order::Word("hashed")),
    ("2dsphere", Order::Word("2dsphere")),
];

/// `field:order` with blanks between them; other words are switched on.
fn index(name: &str, words: &str) -> Index {
    let key = |word: &str| {
        let (field, order) = word.split_once(':')?;
        let order = ORDERS.iter().find(|(text, _)| *text == order)?.1;
        Some(Key { field: field.to_owned(), order })
    };
    let has = |option: &str| words.split(' ').any(|word| word == option);
    Index {
        collection: Namespace { database: "shop".into(), collection: "users".into() },
        name: name.into(),
        keys: words.split(' ').filter_map(key).collect(),
        unique: has("unique"),
        sparse: has("sparse"),
        expire_after_seconds: has("ttl").then_some(3600),
    }
}

fn listed(entries: Vec<Document>) -> Vec<Listed> {
    let id = doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" };
    [vec![id], entries].concat().iter().map(|entry| Listed::parse(entry).unwrap()).collect()
}

fn blocked(index: &Index, entries: Vec<Document>) -> String {
    match index.standing(&listed(entries)) {
        Standing::Blocked(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_are_those_that_drivers_give() {
    assert_eq!(default_name(&index("", "email:1").keys), "email_1");
    assert_eq!(default_name(&index("", "shop:1 created:-1").keys), "shop_1_created_-1");
    assert_eq!(default_name(&index("", "place.point:2dsphere").keys), "place.point_2dsphere");
}

#[test]
fn the_command_names_every_option_that_is_on_and_no_other() {
    assert_eq!(
        index("by-mail", "email:1 created:-1 unique").command(),
        doc! {
            "createIndexes": "users",
            "indexes": [{ "key": { "email": 1, "created": -1 }, "name": "by-mail", "unique": true }],
            "writeConcern": { "w": "majority" },
        }
    );
    let expiring = index("old", "seen:1 sparse ttl").command();
    let spec = expiring.get_array("indexes").unwrap()[0].as_document().unwrap();
    assert_eq!(
        spec,
        &doc! { "key": { "seen": 1 }, "name": "old", "sparse": true, "expireAfterSeconds": 3600_i64 }
    );
}

#[test]
fn an_index_that_is_not_listed_is_missing() {
    assert_eq!(index("email_1", "email:1").standing(&listed(vec![])), Standing::Missing);
    let other = doc! { "v": 2, "key": { "email": -1 }, "name": "email_-1" };
    assert_eq!(index("email_1", "email:1").standing(&listed(vec![other])), Standing::Missing);
}

#[test]
fn an_index_as_declared_is_ready_however_its_numbers_are_stored() {
    for order in [Bson::Int32(1), Bson::Int64(1), Bson::Double(1.0)] {
        let entry = doc! { "v": 2, "key": { "email": order }, "name": "email_1", "unique": true };
        assert_eq!(index("email_1", "email:1 unique").standing(&listed(vec![entry])), Standing::Ready);
    }
    let expiring = doc! { "v": 2, "key": { "seen": 1 }, "name": "old", "expireAfterSeconds": 3600.0 };
    assert_eq!(index("old", "seen:1 ttl").standing(&listed(vec![expiring])), Standing::Ready);
}

#[test]
fn a_text_index_is_found_by_its_weights() {
    let entry = doc! {
        "v": 2, "key": { "shop": 1, "_fts": "text", "_ftsx": 1 }, "name": "words",
        "weights": { "title": 1, "body": 1 }, "default_language": "english", "textIndexVersion": 3,
    };
    let declared = index("words", "shop:1 title:text body:text");
    assert_eq!(declared.standing(&listed(vec![entry.clone()])), Standing::Ready);
    let why = blocked(&index("words", "shop:1 title:text"), vec![entry]);
    assert!(why.contains("exists with the keys shop: 1, body: text, title: text"), "{why}");
}

#[test]
fn an_index_with_a_build_identity_is_being_built() {
    let spec = doc! { "v": 2, "key": { "email": 1 }, "name": "email_1" };
    let entry = doc! { "spec": spec, "buildUUID": Uuid::new() };
    assert_eq!(index("email_1", "email:1").standing(&listed(vec![entry])), Standing::Building);
}

#[test]
fn the_same_name_with_other_keys_or_options_is_in_the_way() {
    let entry = |extra: Document| {
        let mut entry = doc! { "v": 2, "key": { "email": 1 }, "name": "mail" };
        entry.extend(extra);
        vec![entry]
    };
    for (declared, extra, words) in [
        ("email:-1", doc! {}, "exists with the keys email: 1"),
        ("email:1 unique", doc! {}, "exists with unique false"),
        ("email:1", doc! { "sparse": true }, "exists with sparse true"),
        ("email:1 ttl", doc! {}, "exists with no expireAfterSeconds"),
        ("email:1", doc! { "expireAfterSeconds": 60 }, "exists with expireAfterSeconds 60"),
        ("email:1", doc! { "partialFilterExpression": { "a": 1 } }, "the option partialFilterExpression"),
    ] {
        let why = blocked(&index("mail", declared), entry(extra));
        assert!(why.contains(words), "{declared}: {why}");
        assert!(why.contains("drop it, or declare this one under another name"), "{why}");
    }
}

#[test]
fn the_same_index_under_another_name_is_in_the_way() {
    let entry = doc! { "v": 2, "key": { "email": 1 }, "name": "by_hand" };
    let why = blocked(&index("email_1", "email:1"), vec![entry]);
    assert_eq!(why, "the same index exists under the name by_hand: declare it by that name, or drop it");
}

#[test]
fn values_of_documents_are_cut_out_of_the_servers_sentences() {
    let duplicate = "Index build failed: 4f2a: Collection shop.users ( 9b1c ) :: caused by :: E11000 duplicate key error collection: shop.users index: email_1 dup key: { email: \"ada@example.com\" }";
    let told = without_values(duplicate);
    assert!(told.ends_with("index: email_1 (values not shown)"), "{told}");
    assert!(!told.contains("ada"), "{told}");
    assert_eq!(without_values("too many open files"), "too many open files");
}
