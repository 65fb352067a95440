//! The Ollama face: chat, generate, and what is asked about models.
//!
//! Handlers only: what a request means is in [`convert`], how an answer is
//! written in [`stream`], how models are described in [`listing`]. Lists are
//! answered from memory.

pub mod convert;
pub(super) mod embed;
pub mod lenient;
pub mod listing;
pub(super) mod manage;
pub mod stream;
pub mod wire;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::{
        Api, body,
        error::{Error, Protocol},
        ollama::{
            convert::Asked,
            lenient::Refused,
            listing::Listed,
            stream::{Encoder, Idle, Kind, Reply},
            wire::{ChatRequest, GenerateRequest, ShowRequest},
        },
        streaming::{self, Encode, End},
        trail,
    },
    catalog::{Model, ModelId},
    chat::{Request, chunk::Chunk},
    clock::now_ms,
    failover::Answered,
    policy::generation::Generation,
    routing::{health::Health, plan::Target},
};

/// How long Ollama keeps a model loaded after its last answer.
const KEPT_LOADED_MS: i64 = 5 * 60 * 1000;

/// `GET /api/version`.
pub(super) async fn version(State(api): State<Api>) -> Json<Value> {
    Json(json!({"version": api.0.version}))
}

/// `POST /api/chat`.
pub(super) async fn chat(State(api): State<Api>, body: Body) -> Response {
    or_error(chat_or_error(&api, body).await)
}

/// `POST /api/generate`.
pub(super) async fn generate(State(api): State<Api>, body: Body) -> Response {
    or_error(generate_or_error(&api, body).await)
}

/// `GET /api/tags`.
pub(super) async fn tags(State(api): State<Api>) -> Response {
    let generation = api.generation();
    let list = || serde_json::to_vec(&listing::tags(&listed(&generation))).unwrap_or_default().into();
    json_response(api.0.tags.of(generation.number, list))
}

/// `POST /api/show`.
pub(super) async fn show(State(api): State<Api>, body: Body) -> Response {
    or_error(show_or_error(&api, body).await)
}

/// `GET /api/ps`: the models that answered lately, as if they were still loaded.
pub(super) async fn ps(State(api): State<Api>) -> Response {
    let generation = api.generation();
    let loaded = |listed: Listed<'_>, health: &Health| {
        let now = i64::try_from(now_ms()).ok()?;
        let last = if health.in_flight > 0 { now } else { i64::try_from(health.last_success?).ok()? };
        let expires = last.checked_add(KEPT_LOADED_MS).filter(|expires| *expires > now)?;
        Some((expires, listing::process(listed, Timestamp::from_millisecond(expires).ok()?)))
    };
    let healths: HashMap<ModelId, Health> = api.failover().ledger().healths().into_iter().collect();
    let mut running: Vec<_> =
        listed(&generation).into_iter().filter_map(|listed| loaded(listed, healths.get(&listed.model.id)?)).collect();
    running.sort_by_key(|(expires, _)| std::cmp::Reverse(*expires));
    let models = running.into_iter().map(|(_, process)| process).collect();
    Json(listing::Running { models }).into_response()
}

async fn show_or_error(api: &Api, body: Body) -> Result<Response, Error> {
    let bytes = read(api, body).await?;
    let request: ShowRequest<'_> = lenient::decode(&bytes)?;
    let name = request.model();
    if name.is_empty() {
        return Err(Error::bad_request("model is required"));
    }
    let generation = api.generation();
    let models = listed(&generation);
    let shown = match api.failover().find(name, &generation)? {
        // What answers in the place of a model that is gone is any.
        Target::Any | Target::Gone => listing::show_auto(&models),
        Target::Model(number) => {
            let model = generation.catalog.model(number);
            let found = models.iter().find(|listed| Some(&listed.model.id) == model.map(|model| &model.id));
            listing::show(*found.ok_or_else(|| not_found(name))?, &models)
        }
    };
    Ok(Json(shown).into_response())
}

fn not_found(name: &str) -> Error {
    Error::new(StatusCode::NOT_FOUND, format!("model '{name}' not found"))
}

/// Returns the models that clients may see, with their names.
fn listed(generation: &Generation) -> Vec<Listed<'_>> {
    let listed = |number: &u32| {
        Some(Listed { model: generation.catalog.model(*number)?, name: generation.names.shown(*number)? })
    };
    generation.visible.iter().filter_map(listed).collect()
}

async fn chat_or_error(api: &Api, body: Body) -> Result<Response, Error> {
    let call = Call { kind: Kind::Chat, timestamp: Timestamp::now(), started: Instant::now() };
    let bytes = read(api, body).await?;
    let (model, asked) = {
        let request: ChatRequest<'_> = lenient::decode(&bytes)?;
        (request.model.to_string(), convert::chat_request(&request)?)
    };
    // The request holds what is needed of it; its bytes need not wait with it.
    drop(bytes);
    call.answer(api, model, asked).await
}

async fn generate_or_error(api: &Api, body: Body) -> Result<Response, Error> {
    let call = Call { kind: Kind::Generate, timestamp: Timestamp::now(), started: Instant::now() };
    let bytes = read(api, body).await?;
    let (model, asked) = {
        let request: GenerateRequest<'_> = lenient::decode(&bytes)?;
        (request.model.to_string(), convert::generate_request(&request)?)
    };
    drop(bytes);
    call.answer(api, model, asked).await
}

/// Reads a body, with the text in it made readable as Go does it.
async fn read(api: &Api, body: Body) -> Result<Bytes, Error> {
    Ok(lenient::text::sound(body::read(body, api.max_body()).await?))
}

fn or_error(answer: Result<Response, Error>) -> Response {
    answer.unwrap_or_else(|error| error.respond(Protocol::Ollama))
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::bad_request(refused.0)
    }
}

/// A call for an answer.
struct Call {
    kind: Kind,
    timestamp: Timestamp,
    started: Instant,
}

impl Call {
    async fn answer(self, api: &Api, model: String, asked: Asked) -> Result<Response, Error> {
        match asked {
            Asked::Unload => self.idle(api, &model, Idle::Unload),
            Asked::Load => {
                self.check(api, &model)?;
                self.idle(api, &model, Idle::Load)
            }
            Asked::Answer(request, stops) => {
                self.check(api, &model)?;
                self.tell(api, &Asker { model, stops }, request).await
            }
        }
    }

    /// Refuses a model that only embeds, in the words that Ollama has for it.
    fn check(&self, api: &Api, model: &str) -> Result<(), Error> {
        let generation = api.generation();
        let what = match self.kind {
            Kind::Chat => "chat",
            Kind::Generate => "generate",
        };
        match api.failover().find(model, &generation)? {
            Target::Model(number) if generation.catalog.model(number).is_some_and(Model::embeds) => {
                Err(Error::bad_request(format!("\"{model}\" does not support {what}")))
            }
            Target::Any | Target::Gone | Target::Model(_) => Ok(()),
        }
    }

    /// There is nothing to load; but the model must be one that can be used.
    fn idle(&self, api: &Api, model: &str, why: Idle) -> Result<Response, Error> {
        api.failover().find(model, &api.generation())?;
        Ok(json_response(stream::idle(self.kind, model, why, self.timestamp)))
    }

    async fn tell(self, api: &Api, asker: &Asker, mut request: Request) -> Result<Response, Error> {
        request.whole_calls = true;
        let (streaming, prompt_tokens) = (request.streaming, request.needs.input_tokens);
        let answered = api.answer(request).await?;
        let served_by = answered.model.clone();
        let reply = Reply {
            kind: self.kind,
            model: &asker.model,
            served_by: &served_by,
            started: self.timestamp,
            prompt_tokens,
            stops: &asker.stops,
        };
        if streaming {
            let lines = Lines { encoder: Encoder::new(&reply), started: self.started, told: Told::Pieces };
            return Ok(streamed(api, answered, lines));
        }
        self.whole(answered, &reply).await
    }

    async fn whole(self, mut answered: Answered, reply: &Reply<'_>) -> Result<Response, Error> {
        let chunks = streaming::whole(&mut answered.reply).await?;
        let (first_token, elapsed) = (answered.reply.first_token(), self.started.elapsed());
        let whole = stream::whole::whole(reply, &chunks, first_token, elapsed)
            .map_err(|bad| Error::new(StatusCode::BAD_GATEWAY, bad.to_string()))?;
        let mut response = json_response(whole);
        trail::mark(response.headers_mut(), &answered);
        Ok(response)
    }
}

/// What the client called the model, and where it wants its answer to end.
struct Asker {
    model: String,
    stops: Vec<String>,
}

fn streamed(api: &Api, answered: Answered, lines: Lines) -> Response {
    let mut response = StatusCode::OK.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    trail::mark(response.headers_mut(), &answered);
    *response.body_mut() = streaming::body(answered.reply, lines, api.cut());
    response
}

fn json_response(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// An answer as lines of JSON.
struct Lines {
    encoder: Encoder,
    started: Instant,
    told: Told,
}

/// How much of an answer has been told.
enum Told {
    /// Its pieces so far.
    Pieces,
    /// All its text.
    Text,
    /// All but that it is over.
    Calls,
}

impl Lines {
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Encode for Lines {
    fn chunk(&mut self, chunk: &Chunk, frame: &mut BytesMut) {
        let elapsed = self.elapsed();
        self.encoder.chunk(chunk, elapsed, frame);
    }

    fn is_over(&self) -> bool {
        self.encoder.is_over()
    }

    fn end(&mut self, frame: &mut BytesMut) -> Result<End, String> {
        let elapsed = self.elapsed();
        match self.told {
            Told::Pieces => {
                self.encoder.rest(elapsed, frame);
                self.told = Told::Text;
                Ok(End::More)
            }
            Told::Text => {
                self.encoder.calls(elapsed, frame).map_err(|bad| bad.to_string())?;
                self.told = Told::Calls;
                Ok(End::More)
            }
            Told::Calls => {
                self.encoder.finish(elapsed, frame);
                Ok(End::Last)
            }
        }
    }

    fn error(&mut self, message: &str, frame: &mut BytesMut) {
        frame.extend_from_slice(&stream::error_line(message));
    }
}
