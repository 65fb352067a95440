//! The routes that manage models in Ollama: here nothing is stored, and they say so.
//!
//! A pull of a model that is served succeeds without a download, because the
//! model can be used at once, which is what clients want to know. What would
//! change something here or upstream is refused in words.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use crate::{
    api::{
        Api,
        error::Error,
        names,
        ollama::{
            self, lenient,
            listing::recommend,
            or_error, stream,
            wire::manage::{CopyRequest, ManageRequest, Progress},
        },
    },
    failover,
};

/// `POST /api/pull`.
pub(in crate::api) async fn pull(State(api): State<Api>, body: Body) -> Response {
    or_error(pull_or_error(&api, body).await)
}

/// `POST /api/push`.
pub(in crate::api) async fn push(State(api): State<Api>, body: Body) -> Response {
    or_error(refuse_known(&api, body, "models are OpenRouter's, there is nothing to push").await)
}

/// `POST /api/create`.
pub(in crate::api) async fn create(State(api): State<Api>, body: Body) -> Response {
    or_error(create_or_error(&api, body).await)
}

/// `POST /api/copy`.
pub(in crate::api) async fn copy(State(api): State<Api>, body: Body) -> Response {
    or_error(copy_or_error(&api, body).await)
}

/// `DELETE /api/delete`.
pub(in crate::api) async fn delete(State(api): State<Api>, body: Body) -> Response {
    or_error(delete_or_error(&api, body).await)
}

/// `HEAD` and `POST /api/blobs/:digest`: there are no blobs, and none is taken.
pub(in crate::api) async fn blob(Path(digest): Path<String>, method: axum::http::Method) -> Response {
    let hex = digest.strip_prefix("sha256:").or_else(|| digest.strip_prefix("sha256-"));
    let sound = hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let error = if !sound {
        Error::bad_request("invalid digest format")
    } else if method == axum::http::Method::HEAD {
        Error::new(StatusCode::NOT_FOUND, format!("blob \"{digest}\" not found"))
    } else {
        unsupported("models are OpenRouter's, so files of models are not taken")
    };
    or_error(Err(error))
}

/// `GET /api/status`: Ollama's own cloud is not behind this router.
pub(in crate::api) async fn cloud() -> Response {
    Json(json!({"cloud": {"disabled": true, "source": "config"}})).into_response()
}

/// `POST /api/me` and the other routes of Ollama's cloud.
pub(in crate::api) async fn no_cloud() -> Response {
    or_error(Err(Error::new(
        StatusCode::FORBIDDEN,
        "ollama cloud is disabled: this is ollama-router, which uses OpenRouter",
    )))
}

/// `GET /api/experimental/model-recommendations`: the models that would be tried first.
pub(in crate::api) async fn recommendations(State(api): State<Api>) -> Response {
    let generation = api.generation();
    Json(recommend::recommendations(&ollama::listed(&generation))).into_response()
}

/// `POST /api/signout`, and the older `DELETE /api/user/keys/:key`.
pub(in crate::api) async fn sign_out() -> Response {
    // Not 401, at which clients ask people to sign in.
    or_error(Err(Error::bad_request("you are not currently signed in")))
}

async fn pull_or_error(api: &Api, body: Body) -> Result<Response, Error> {
    let bytes = ollama::read(api, body).await?;
    let request: ManageRequest<'_> = lenient::decode(&bytes)?;
    if request.model().is_empty() {
        return Err(Error::bad_request("invalid model name"));
    }
    let served = api.failover().find(request.model(), &api.generation()).is_ok();
    if !served && !names::is_wellformed(request.model()) {
        return Err(Error::bad_request("invalid model name"));
    }
    let streaming = request.stream.unwrap_or(true);
    let unknown = "pull model manifest: file does not exist";
    match (served, streaming) {
        (true, true) => Ok(lines(&["pulling manifest", "success"])),
        (true, false) => Ok(Json(Progress { status: "success" }).into_response()),
        (false, true) => Ok(ndjson(stream::error_line(unknown))),
        (false, false) => Err(Error::new(StatusCode::INTERNAL_SERVER_ERROR, unknown)),
    }
}

async fn create_or_error(api: &Api, body: Body) -> Result<Response, Error> {
    let bytes = ollama::read(api, body).await?;
    let request: ManageRequest<'_> = lenient::decode(&bytes)?;
    if !names::is_wellformed(request.model()) {
        return Err(Error::bad_request("invalid model name"));
    }
    Err(unsupported(
        "models are OpenRouter's, so none can be created here; send the system prompt and the options with each request",
    ))
}

async fn copy_or_error(api: &Api, body: Body) -> Result<Response, Error> {
    let bytes = ollama::read(api, body).await?;
    let request: CopyRequest<'_> = lenient::decode(&bytes)?;
    for (name, value) in [("source", &request.source), ("destination", &request.destination)] {
        let known = || name == "source" && api.failover().find(value, &api.generation()).is_ok();
        if !names::is_wellformed(value) && !known() {
            return Err(Error::bad_request(format!("{name} \"{value}\" is invalid")));
        }
    }
    if api.failover().find(&request.source, &api.generation()).is_err() {
        return Err(Error::new(StatusCode::NOT_FOUND, format!("model \"{}\" not found", request.source)));
    }
    Err(unsupported("models are OpenRouter's and cannot be copied"))
}

async fn delete_or_error(api: &Api, body: Body) -> Result<Response, Error> {
    let bytes = ollama::read(api, body).await?;
    let request: ManageRequest<'_> = lenient::decode(&bytes)?;
    let name = request.model();
    match api.failover().find(name, &api.generation()) {
        _ if name.is_empty() => Err(Error::bad_request("model is required")),
        Err(failover::Error::Unknown(_)) if !names::is_wellformed(name) => {
            Err(Error::bad_request(format!("name {name:?} is invalid")))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err(unsupported(
            "models are OpenRouter's and cannot be deleted; to hide one, use the file models-filter/filter",
        )),
    }
}

/// Refuses what is asked of a model that is served; another is not found.
async fn refuse_known(api: &Api, body: Body, why: &str) -> Result<Response, Error> {
    let bytes = ollama::read(api, body).await?;
    let request: ManageRequest<'_> = lenient::decode(&bytes)?;
    if request.model().is_empty() {
        return Err(Error::bad_request("model is required"));
    }
    api.failover().find(request.model(), &api.generation())?;
    Err(unsupported(why))
}

fn unsupported(why: &str) -> Error {
    Error::new(StatusCode::NOT_IMPLEMENTED, why)
}

fn lines(statuses: &[&str]) -> Response {
    let lines = statuses.iter().map(|status| format!("{}\n", json!({"status": status})));
    ndjson(lines.collect::<String>().into())
}

fn ndjson(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
