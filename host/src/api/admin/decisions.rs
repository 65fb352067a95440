//! The operators' routes about single decisions: why one would fall out as it does.
//!
//! Nothing is sent upstream for them, and nothing that they ask counts.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;

use crate::api::{
    Api,
    admin::wire::explain::{AskedFor, Explained},
    error::{Error, Protocol},
};

/// `POST /router/policy/explain`: for every model, why it would be tried or not.
pub(in crate::api) async fn explain(State(api): State<Api>, body: Bytes) -> Response {
    let asked = match body.as_ref() {
        [] => AskedFor::default(),
        body => match serde_json::from_slice::<AskedFor>(body) {
            Ok(asked) => asked,
            Err(error) => return Error::bad_request(error.to_string()).respond(Protocol::Ollama),
        },
    };
    let generation = api.generation();
    match api.failover().explain(asked.asked(), &generation).await {
        Ok(explained) => Json(Explained::of(&explained, &generation)).into_response(),
        Err(error) => Error::from(error).respond(Protocol::Ollama),
    }
}
