//! The operators' routes about single decisions: the last ones, and why one would
//! fall out as it does.
//!
//! Nothing is sent upstream for them, and nothing that they ask counts.

use axum::{
    Json,
    extract::{Query, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use serde::Deserialize;

use crate::{
    api::{
        Api,
        admin::wire::explain::{AskedFor, Explained},
        error::{Error, Protocol},
    },
    policy::{
        decisions::{Entry, Line},
        records::Record,
    },
};

/// Decisions that are told unless another number is asked for.
const LAST: usize = 100;

/// What may be asked of the last decisions.
#[derive(Deserialize)]
pub(in crate::api) struct HowMany {
    last: Option<usize>,
}

/// `GET /router/policy/decisions`: the last ones over these models, the newest last,
/// in the form of the decision log.
pub(in crate::api) async fn last(State(api): State<Api>, Query(how): Query<HowMany>) -> Json<Vec<Line>> {
    let generation = api.generation();
    let records = generation.records.last(how.last.unwrap_or(LAST));
    let line = |record: &Record| Line::Decision(Entry::with_ids(record, &generation.catalog));
    Json(records.iter().map(|record| line(record)).collect())
}

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
