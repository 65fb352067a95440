//! Vectors: `POST /api/embed`, and the older `POST /api/embeddings`.
//!
//! Handlers, and what Ollama adds to a vector: the newer route normalises and
//! cuts to `dimensions`, the older does neither, and both shorten texts that are
//! too long unless they are told not to. Which model answers, and that it is
//! never another one, is the engine's: `failover::embed`.
//!
//! Outside facts: `EmbedHandler` and `EmbeddingsHandler` in `server/routes.go` of
//! github.com/ollama/ollama, August 2026.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use crate::{
    api::{
        Api,
        error::Error,
        ollama::{
            self, lenient, or_error,
            wire::manage::{EmbedRequest, EmbeddingsRequest},
        },
        trail,
    },
    chat::{BYTES_PER_TOKEN, Fields},
    embeddings::Request,
    failover::{self, Try, embed::Embedded},
    policy::generation::Generation,
    routing::FailureKind,
};

/// How many bytes of a text a token stands for, when a text that was too long is
/// cut: first as in most writing, then as in none, for no token is shorter.
const CUTS: [usize; 2] = [3, 1];

/// Nothing is loaded, but some clients want a figure.
const LOAD_NS: u64 = 1;

/// The answer of `/api/embed`; without texts there are no figures either.
#[derive(Debug, Default, Serialize)]
struct Embed<'a> {
    model: &'a str,
    embeddings: Vec<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_eval_count: Option<u64>,
}

/// The answer of `/api/embeddings`.
#[derive(Debug, Default, Serialize)]
struct Embedding {
    embedding: Vec<f64>,
}

/// `POST /api/embed`.
pub(in crate::api) async fn embed(State(api): State<Api>, body: Body) -> Response {
    or_error(embed_or_error(&api, body).await)
}

/// `POST /api/embeddings`.
pub(in crate::api) async fn embeddings(State(api): State<Api>, body: Body) -> Response {
    or_error(embeddings_or_error(&api, body).await)
}

async fn embed_or_error(api: &Api, body: Body) -> Result<Response, Error> {
    let started = Instant::now();
    let bytes = ollama::read(api, body).await?;
    let request: EmbedRequest<'_> = lenient::decode(&bytes)?;
    if request.model.is_empty() {
        return Err(Error::new(StatusCode::NOT_FOUND, "model '' not found"));
    }
    let dimensions = usize::try_from(request.dimensions).ok().filter(|dimensions| *dimensions > 0);
    let truncate = request.truncate.unwrap_or(true);
    let wanted = Wanted { model: &request.model, texts: request.input.0, dimensions, truncate };
    let Some(embedded) = wanted.embed(api).await? else {
        return Ok(Json(Embed { model: &request.model, ..Embed::default() }).into_response());
    };
    let vectors = wanted.vectors(&embedded)?;
    let answer = Embed {
        model: &request.model,
        embeddings: vectors.into_iter().map(|vector| unit(vector, dimensions)).collect(),
        total_duration: Some(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)),
        load_duration: Some(LOAD_NS),
        prompt_eval_count: embedded.vectors.usage.map(|usage| usage.prompt_tokens).filter(|count| *count > 0),
    };
    Ok(marked(Json(answer).into_response(), &embedded))
}

async fn embeddings_or_error(api: &Api, body: Body) -> Result<Response, Error> {
    let bytes = ollama::read(api, body).await?;
    let request: EmbeddingsRequest<'_> = lenient::decode(&bytes)?;
    if request.model.is_empty() {
        return Err(Error::bad_request("model is required"));
    }
    let texts = if request.prompt.is_empty() { Vec::new() } else { vec![request.prompt.into_owned()] };
    let wanted = Wanted { model: &request.model, texts, dimensions: None, truncate: true };
    let Some(embedded) = wanted.embed(api).await? else {
        return Ok(Json(Embedding::default()).into_response());
    };
    let embedding = wanted.vectors(&embedded)?.into_iter().next().unwrap_or_default();
    Ok(marked(Json(Embedding { embedding }).into_response(), &embedded))
}

fn marked(mut response: Response, embedded: &Embedded) -> Response {
    trail::mark_vectors(response.headers_mut(), embedded);
    response
}

/// What is to be turned into vectors.
struct Wanted<'a> {
    model: &'a str,
    texts: Vec<String>,
    dimensions: Option<usize>,
    truncate: bool,
}

impl Wanted<'_> {
    /// Asks the model; `None` if there is no text, which only loads it.
    ///
    /// Texts that turn out to be too long are cut and asked for again, if the
    /// client allows it: only the model knows how many tokens a text has.
    async fn embed(&self, api: &Api) -> Result<Option<Embedded>, Error> {
        let generation = api.generation();
        let found = api.failover().find_embedder(self.model, &generation);
        let number = found.map_err(|error| api.told(error, &generation))?;
        if self.texts.is_empty() {
            return Ok(None);
        }
        let context = generation.catalog.model(number).map_or(0, |model| model.context_tokens) as usize;
        let mut earlier = Vec::new();
        for longest in std::iter::once(usize::MAX).chain(CUTS.map(|bytes| context.saturating_mul(bytes))) {
            if longest != usize::MAX && !self.may_cut_to(longest) {
                continue;
            }
            match api.failover().embed(self.request(longest), Arc::clone(&generation)).await {
                Ok(mut embedded) => {
                    earlier.append(&mut embedded.tried);
                    return Ok(Some(Embedded { tried: earlier, ..embedded }));
                }
                Err(failover::Error::Failed { mut tried, .. }) if is_too_long(&tried) => earlier.append(&mut tried),
                Err(error) => return Err(api.told(error, &generation)),
            }
        }
        Err(too_long(&generation, earlier))
    }

    /// Tells whether a text may be cut, and is longer than so many bytes.
    fn may_cut_to(&self, longest: usize) -> bool {
        self.truncate && longest > 0 && self.texts.iter().any(|text| text.len() > longest)
    }

    /// Returns the request for the texts, none with more bytes than `longest`.
    fn request(&self, longest: usize) -> Request {
        let texts: Vec<&str> =
            self.texts.iter().map(|text| text.get(..text.floor_char_boundary(longest)).unwrap_or(text)).collect();
        let tokens = texts.iter().map(|text| text.len()).max().unwrap_or_default() / BYTES_PER_TOKEN;
        let mut fields = Fields::default();
        fields.set("input", &texts);
        fields.set("encoding_format", "float");
        if let Some(dimensions) = self.dimensions {
            fields.set("dimensions", &dimensions);
        }
        let input_tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        Request { model: self.model.to_owned(), input_tokens, fields }
    }

    /// Returns one vector for each text.
    fn vectors(&self, embedded: &Embedded) -> Result<Vec<Vec<f64>>, Error> {
        let bad = |what: String| Error::new(StatusCode::BAD_GATEWAY, format!("{}: {what}", embedded.model));
        let vectors =
            embedded.vectors.numbers().ok_or_else(|| bad("its vectors are no lists of numbers".to_owned()))?;
        if vectors.len() == self.texts.len() {
            Ok(vectors)
        } else {
            Err(bad(format!("{} vectors came for {} texts", vectors.len(), self.texts.len())))
        }
    }
}

fn is_too_long(tried: &[Try]) -> bool {
    tried.last().is_some_and(|tried| tried.failure.kind == FailureKind::ContextOverflow)
}

/// Ollama's words for it, with what the model itself said in the headers.
fn too_long(generation: &Generation, tried: Vec<Try>) -> Error {
    Error::bad_request("the input length exceeds the context length").after(tried).under(generation)
}

/// Cuts a vector, if it is longer than wanted, and gives it the length 1.
fn unit(mut vector: Vec<f64>, dimensions: Option<usize>) -> Vec<f32> {
    vector.truncate(dimensions.unwrap_or(usize::MAX));
    let length = vector.iter().map(|number| number * number).sum::<f64>().sqrt();
    // A vector of zeros has no direction, and stays as it is.
    let scale = if length > 0.0 { length.recip() } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, reason = "Ollama's vectors have 32-bit numbers")]
    vector.into_iter().map(|number| (number * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_gets_the_length_one_after_it_is_cut() {
        let cases = [
            (vec![3.0, 4.0], None, vec![0.6, 0.8]),
            (vec![3.0, 4.0, 12.0], Some(2), vec![0.6, 0.8]),
            (vec![0.6, 0.8], Some(9), vec![0.6, 0.8]),
            (vec![0.0, 0.0], None, vec![0.0, 0.0]),
        ];
        for (vector, dimensions, expected) in cases {
            assert_eq!(unit(vector.clone(), dimensions), expected, "{vector:?}");
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let wanted = Wanted { model: "m", texts: vec!["a\u{e4}b".to_owned()], dimensions: None, truncate: true };
        let sent = |longest| wanted.request(longest).fields.get("input").map(|input| input.get().to_owned());
        assert_eq!(sent(2).as_deref(), Some(r#"["a"]"#));
        assert_eq!(sent(3).as_deref(), Some("[\"a\u{e4}\"]"));
        assert_eq!(sent(usize::MAX).as_deref(), Some("[\"a\u{e4}b\"]"));
        assert_eq!((wanted.may_cut_to(3), wanted.may_cut_to(4), wanted.may_cut_to(0)), (true, false, false));
    }
}
