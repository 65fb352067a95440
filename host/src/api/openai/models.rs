//! `GET /v1/models`, and one of them by its name.
//!
//! Both are told from memory. A name is understood as everywhere else, and the
//! entry has the name under which the model is listed.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use crate::{
    api::{Api, error::Error, openai::or_error},
    catalog::names::AUTO,
    policy::generation::Generation,
    routing::plan::Target,
};

/// Whose model `auto` is.
const OURS: &str = "ollama-router";

/// A model as OpenAI's clients know it.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    /// In seconds since 1970.
    created: u64,
    owned_by: &'a str,
    /// Tokens that fit, as OpenRouter tells it; left out if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u32>,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

/// `GET /v1/models`.
pub(in crate::api) async fn models(State(api): State<Api>) -> Response {
    let generation = api.generation();
    let list = api.0.models.of(generation.number, || {
        let shown = generation.visible.iter().filter_map(|number| entry(*number, &generation));
        let data = std::iter::once(auto(AUTO, &generation)).chain(shown).collect();
        serde_json::to_vec(&List { object: "list", data }).unwrap_or_default().into()
    });
    ([(CONTENT_TYPE, "application/json")], list).into_response()
}

/// `GET /v1/models/{id}`; the id may hold slashes and colons.
pub(in crate::api) async fn model(State(api): State<Api>, id: Result<Path<String>, PathRejection>) -> Response {
    or_error(found(&api, id))
}

fn found(api: &Api, id: Result<Path<String>, PathRejection>) -> Result<Response, Error> {
    // What is no text is no name.
    let Ok(Path(id)) = id else { return Err(Error::bad_request("invalid model name")) };
    let generation = api.generation();
    let target = api.failover().find(&id, &generation).map_err(|error| api.told(error, &generation))?;
    let entry = match target {
        Target::Any => Some(auto(AUTO, &generation)),
        // Others answer under its name, and it is shown as that.
        Target::Gone => Some(auto(&id, &generation)),
        Target::Model(number) => entry(number, &generation),
    };
    let entry = entry.ok_or_else(|| api.told(crate::failover::Error::Unknown(id.clone()), &generation))?;
    Ok(Json(entry).into_response())
}

/// Returns the entry of a model that may be used.
fn entry(number: u32, generation: &Generation) -> Option<Entry<'_>> {
    let model = generation.catalog.model(number)?;
    Some(Entry {
        id: generation.names.shown(number)?,
        object: "model",
        created: model.created,
        owned_by: model.id.vendor(),
        context_length: Some(model.context_tokens).filter(|tokens| *tokens > 0),
    })
}

/// Returns the entry for no model in particular, as new as the newest.
fn auto<'a>(id: &'a str, generation: &Generation) -> Entry<'a> {
    let visible = generation.visible.iter().filter_map(|number| generation.catalog.model(*number));
    let created = visible.map(|model| model.created).max().unwrap_or_default();
    Entry { id, object: "model", created, owned_by: OURS, context_length: None }
}
