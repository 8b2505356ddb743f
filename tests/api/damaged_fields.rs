//! Somebody writes over sealed fields in the store, behind the service's back: the owner is told that it failed and
//! nothing more, the audit knows, and nobody sees anybody else's.

use bson::{Binary, Bson, Document, spec::BinarySubtype};
use sealgate::{domain::audit::AuditEvent, storage::audit::AuditRecord};
use serde_json::{Value, json};

use crate::{
    audit_tampering::Tamperer,
    support::{Pair, Person, Setup, StoreSet, TestApp, eventually},
};

cases_per_store! {
    a_damaged_field_is_one_opaque_error
    a_damaged_data_key_is_one_opaque_error
    a_damaged_field_keeps_no_other_mail_waiting
}

const FIELDS: [&str; 7] = [
    "email",
    "username",
    "first_name",
    "last_name",
    "phone",
    "country_code",
    "attributes",
];
const SCHEMA: &str = r#"{ "type": "object", "properties": { "note": { "type": "string" } } }"#;

struct Member {
    user_type: &'static str,
    person: Person,
    pair: Pair,
    id: String,
    shown: Value,
}

async fn start(stores: &StoreSet) -> TestApp {
    let setup = Setup::new(stores);
    let schema = setup.folder().join("attributes.json");
    std::fs::write(&schema, SCHEMA).expect("written");
    setup.set("ATTRIBUTES_SCHEMA", schema.to_string_lossy()).spawn().await
}

async fn member(app: &TestApp, user_type: &'static str) -> Member {
    let person = Person::new().with_username().with_mobile();
    let mut body = person.json();
    body["country_code"] = json!("DE");
    body["attributes"] = json!({ "note": format!("of {}", person.email) });
    app.post(&format!("/{user_type}/create"))
        .json(&body)
        .send()
        .await
        .expect(201);
    let token = app.next_link(&person).await;
    app.confirm(user_type, &token).await.expect(200);
    app.next_mail(&person.email).await;
    let pair = app.login(user_type, &person).await;
    let shown = app.profile(user_type, &pair.access).await.expect(200).json();
    Member {
        user_type,
        id: shown["id"].as_str().expect("an id").to_owned(),
        person,
        pair,
        shown,
    }
}

fn bytes(record: &Document, field: &str) -> Vec<u8> {
    let sealed = record.get_document("sealed").expect("a person");
    sealed.get_binary_generic(field).expect("an envelope").clone()
}

fn with(record: &Document, field: &str, envelope: Vec<u8>) -> Document {
    let mut record = record.clone();
    let sealed = record.get_document_mut("sealed").expect("a person");
    sealed.insert(field, binary(envelope));
    record
}

fn binary(bytes: Vec<u8>) -> Bson {
    let subtype = BinarySubtype::Generic;
    Binary { subtype, bytes }.into()
}

/// Everything that somebody may make of a field's bytes. `others` are whole envelopes from elsewhere.
fn damages(whole: &[u8], others: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let at = |index: usize, change: &dyn Fn(u8) -> u8| {
        let mut bytes = whole.to_vec();
        bytes[index] = change(bytes[index]);
        bytes
    };
    // The header's bytes, the nonce's first, the body's first, the tag's last.
    let mut all: Vec<Vec<u8>> = [0, 1, 2, 3, 4, 16, whole.len() - 1]
        .into_iter()
        .map(|index| at(index, &|byte| byte ^ 0x01))
        .collect();
    // A suite and a key that are not.
    all.extend([at(1, &|_| 0x02), at(1, &|_| 0xFF), at(3, &|_| 0x02)]);
    all.extend([0, 1, 4, 16, 31, whole.len() - 1].map(|length| whole[..length].to_vec()));
    all.extend([[whole, &[0]].concat(), [whole, whole].concat(), vec![0; whole.len()]]);
    all.extend(others.iter().cloned());
    all
}

/// A problem that says that it failed, and its name; nothing of anybody.
async fn is_opaque(app: &TestApp, member: &Member, strangers: &[&Member]) -> Value {
    let answer = app.profile(member.user_type, &member.pair.access).await;
    let problem = answer.expect_problem(500, "internal").json();
    let text = problem.to_string();
    for somebody in strangers.iter().copied().chain([member]) {
        for (name, value) in somebody.shown.as_object().expect("an object") {
            let value = value.as_str().unwrap_or_default();
            let is_personal = FIELDS.contains(&name.as_str()) && value.len() > 3;
            assert!(!(is_personal && text.contains(value)), "{name} stands in {text}");
        }
    }
    let mut members = problem.as_object().expect("an object").clone();
    assert!(members.remove("request_id").is_some(), "{text}");
    Value::Object(members)
}

async fn noted(app: &TestApp, member: &Member) -> usize {
    let entries: Vec<AuditRecord> = app.audit(member.user_type).await;
    let of_member = |entry: &&AuditRecord| entry.account_id.as_ref().is_some_and(|id| id.as_str() == member.id);
    let damaged = entries.iter().filter(of_member);
    damaged.filter(|entry| entry.event == AuditEvent::FieldDamaged).count()
}

async fn a_damaged_field_is_one_opaque_error(stores: &StoreSet) {
    let app = start(stores).await;
    let (ada, ben, eve) = (
        member(&app, "User1").await,
        member(&app, "User1").await,
        member(&app, "User2").await,
    );
    let store = Tamperer::of(&app.setup.stores, app.setup.folder()).await;
    let record = store.account(ada.user_type, &ada.id).await;
    let [of_ben, of_eve] = [
        store.account("User1", &ben.id).await,
        store.account("User2", &eve.id).await,
    ];
    let mut said = Vec::new();
    for (place, field) in FIELDS.into_iter().enumerate() {
        let neighbour = FIELDS[(place + 1) % FIELDS.len()];
        let others = [
            bytes(&of_ben, field),
            bytes(&of_eve, field),
            bytes(&record, neighbour),
            bytes(&of_ben, neighbour),
        ];
        for envelope in damages(&bytes(&record, field), &others) {
            store
                .set_account(ada.user_type, &ada.id, &with(&record, field, envelope))
                .await;
            said.push(is_opaque(&app, &ada, &[&ben, &eve]).await);
        }
    }
    said.dedup();
    assert_eq!(said.len(), 1, "whatever it is, it is told alike: {said:?}");
    // Every one is noted, of the account that it is. (Limits are off: with them, the first in ten minutes.)
    assert_eq!(noted(&app, &ada).await, FIELDS.len() * 23);

    // Whatever else opens a field refuses as well, and panics nowhere.
    let email = with(&record, "email", bytes(&of_ben, "email"));
    store.set_account(ada.user_type, &ada.id, &email).await;
    let phone = app.ask_code(ada.user_type, &ada.pair.access, &json!({})).await;
    phone.expect_problem(500, "internal");
    let change = json!({ "current_password": ada.person.password, "new_password": "An0ther-P@ssw0rd-of-hers" });
    let changed = app
        .post("/User1/change-password")
        .bearer(&ada.pair.access)
        .json(&change);
    changed.send().await.expect_problem(500, "internal");
    assert_eq!(noted(&app, &ada).await, FIELDS.len() * 23 + 2);

    for somebody in [&ben, &eve] {
        let shown = app.profile(somebody.user_type, &somebody.pair.access).await.expect(200);
        assert_eq!(shown.json(), somebody.shown, "nobody else notices");
        assert_eq!(noted(&app, somebody).await, 0);
    }
    store.set_account(ada.user_type, &ada.id, &record).await;
    let shown = app.profile(ada.user_type, &ada.pair.access).await.expect(200);
    assert_eq!(shown.json(), ada.shown);
    store.close().await;
    app.shut_down().await;
}

async fn a_damaged_data_key_is_one_opaque_error(stores: &StoreSet) {
    let app = start(stores).await;
    let (ada, ben) = (member(&app, "User1").await, member(&app, "User1").await);
    let store = Tamperer::of(&app.setup.stores, app.setup.folder()).await;
    let record = store.data_key("User1", &ada.id).await;
    let wrapped = |record: &Document| -> Vec<u8> {
        let first = record.get_document("deks").and_then(|deks| deks.get_document("1"));
        first
            .expect("a key")
            .get_binary_generic("wrapped")
            .expect("wrapped")
            .clone()
    };
    let whole = wrapped(&record);
    let of_ben = wrapped(&store.data_key("User1", &ben.id).await);
    let flipped = |index: usize| {
        let mut bytes = whole.clone();
        bytes[index] ^= 0x80;
        bytes
    };
    let all = [flipped(0), flipped(39), whole[..32].to_vec(), Vec::new(), of_ben];
    for bytes in &all {
        let mut damaged = record.clone();
        let deks = damaged.get_document_mut("deks").expect("keys");
        deks.get_document_mut("1")
            .expect("a key")
            .insert("wrapped", binary(bytes.clone()));
        store.set_data_key("User1", &ada.id, &damaged).await;
        is_opaque(&app, &ada, &[&ben]).await;
    }
    assert_eq!(noted(&app, &ada).await, all.len());
    let shown = app.profile("User1", &ben.pair.access).await.expect(200);
    assert_eq!(shown.json(), ben.shown);
    store.set_data_key("User1", &ada.id, &record).await;
    assert_eq!(
        app.profile("User1", &ada.pair.access).await.expect(200).json(),
        ada.shown
    );
    store.close().await;
    app.shut_down().await;
}

async fn a_damaged_field_keeps_no_other_mail_waiting(stores: &StoreSet) {
    let app = start(stores).await;
    let (ada, ben) = (member(&app, "User1").await, member(&app, "User1").await);
    let store = Tamperer::of(&app.setup.stores, app.setup.folder()).await;
    let record = store.account("User1", &ada.id).await;
    let of_ben = store.account("User1", &ben.id).await;
    let damaged = with(&record, "email", bytes(&of_ben, "email"));
    store.set_account("User1", &ada.id, &damaged).await;
    for somebody in [&ada, &ben] {
        app.forget("User1", &somebody.person.email).await.expect(202);
    }
    app.next_link(&ben.person).await;
    eventually("the damage is noted", async || {
        (noted(&app, &ada).await > 0).then_some(())
    })
    .await;
    // A mail of Ada's went to nobody: neither to her, nor, with the address that was put there, to Ben.
    assert_eq!(app.mails(&ben.person.email).len(), 3, "his own: link, welcome, link");
    assert_eq!(app.mails(&ada.person.email).len(), 2);
    store.close().await;
}

impl Tamperer {
    /// The account as it lies in the store.
    async fn account(&self, user_type: &str, id: &str) -> Document {
        self.find("accounts", user_type, id).await
    }

    async fn set_account(&self, user_type: &str, id: &str, record: &Document) {
        self.put("accounts", user_type, id, record).await;
    }

    /// Its wrapped data keys.
    async fn data_key(&self, user_type: &str, id: &str) -> Document {
        self.find("deks", user_type, id).await
    }

    async fn set_data_key(&self, user_type: &str, id: &str, record: &Document) {
        self.put("deks", user_type, id, record).await;
    }
}
