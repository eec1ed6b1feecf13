//! Something written through the gateway, to be read back later.

use serde_json::{Value, json};

use super::until::seconds;
use super::{World, http, until};

/// Where it is found, and what is found there.
#[derive(Clone, Debug)]
pub struct Kept {
    path: String,
    pointer: &'static str,
    value: Value,
}

impl Kept {
    /// An item, which MongoDB keeps.
    pub async fn item(world: &World) -> Self {
        let body = write(world, "/items", &json!({"name": "kept", "value": 7})).await;
        let id = body["id"].as_str().unwrap();
        Self { path: format!("/items/{id}"), pointer: "/value", value: json!(7) }
    }

    /// A session, which Redis keeps.
    pub async fn session(world: &World) -> Self {
        let body = write(world, "/sessions", &json!({"user": "ada"})).await;
        let token = body.get("token").or_else(|| body.get("id")).unwrap().as_str().unwrap();
        Self { path: format!("/sessions/{token}"), pointer: "/user", value: json!("ada") }
    }

    /// Its URL at the gateway.
    pub fn url(&self, world: &World) -> String {
        http::gateway(world, &self.path)
    }

    /// Reads it back. What is answered before the gateway has found the API pods is no answer yet.
    pub async fn is_still_there(&self, world: &World) {
        let url = self.url(world);
        let found = until("the gateway answers", seconds(15), async || {
            let answer = http::get(&url).await?;
            if answer.status == 200 {
                Ok(answer.body.pointer(self.pointer).cloned())
            } else {
                Err(format!("{answer:?}"))
            }
        });
        assert_eq!(found.await.as_ref(), Some(&self.value), "{}", self.path);
    }
}

/// A cluster that says Ready takes a write: no second try.
async fn write(world: &World, path: &str, body: &Value) -> Value {
    let answer = http::post(&http::gateway(world, path), body).await;
    let answer = answer.unwrap_or_else(|error| panic!("POST {path}: {error}"));
    assert_eq!(answer.status, 201, "POST {path}: {answer:?}");
    answer.body
}
