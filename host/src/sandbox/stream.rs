//! Turns a reply into the bytes of a response, step by step.
//!
//! Owns pace, gates, line ends, splits, hangs and cuts, and tells the log how
//! the call ended. It does not choose a reply. A step is run only when the
//! connection asks for more, so a client that left stops the reply at once.
//! Read `reply/step.rs` for the steps and `sandbox/fold.rs` for whole bodies.

use std::collections::VecDeque;
use std::future;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::sandbox::fold::Folded;
use crate::sandbox::record::Call;
use crate::sandbox::reply::parts::Estimate;
use crate::sandbox::reply::step::Step;
use crate::sandbox::reply::{Delivery, Form, Reply};

/// One keep-alive line before a JSON body, as recorded.
const PADDING: &str = "\n         ";

const JSON_TYPE: &str = "application/json";

/// What an answer says of itself, known once the request is.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    /// The id `gen-…` of the answer.
    pub(super) id: String,
    /// Seconds since the epoch.
    pub(super) created: u64,
    /// The model as the client asked for it.
    pub(super) requested: String,
    /// The canonical slug that answers carry.
    pub(super) model: String,
    /// The prompt's tokens and the model's prices.
    pub(super) estimate: Estimate,
    /// Whether the client asked for a stream.
    pub(super) streamed: bool,
}

impl Exchange {
    /// Adds the fields that a chunk or a whole answer lacks.
    pub(super) fn complete(&self, body: &mut Value) {
        let Value::Object(fields) = body else { return };
        if !fields.contains_key("choices") {
            return;
        }
        let mut add = |key: &str, value: Value| {
            fields.entry(key).or_insert(value);
        };
        add("id", json!(self.id));
        add("object", json!("chat.completion.chunk"));
        add("created", json!(self.created));
        add("model", json!(self.model));
        add("provider", json!("Sandbox"));
    }
}

/// Returns the response that delivers `reply`.
///
/// Cancelled while the headers are held back, the call counts as given up.
pub(super) async fn response(
    mut reply: Reply,
    exchange: Exchange,
    call: Call,
    mut stop: watch::Receiver<bool>,
) -> Response {
    if let Some(gate) = reply.delivery.headers_gate.take() {
        tokio::select! {
            () = gate.wait() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
    let is_events = exchange.streamed && matches!(reply.form, Form::Parts(_) | Form::Steps(_));
    let content_type = match &reply.form {
        Form::Parts(_) | Form::Steps(_) if is_events => "text/event-stream",
        Form::Parts(_) | Form::Steps(_) | Form::Json(_) => JSON_TYPE,
        Form::Body { content_type, .. } => content_type,
    };
    let mut response = Response::builder().status(reply.status).header("content-type", content_type);
    if is_events {
        response = response.header("cache-control", "no-cache");
    }
    if !exchange.id.is_empty() {
        response = response.header("x-generation-id", &exchange.id);
    }
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let writer = Writer::new(reply.form, reply.delivery, exchange, call);
    let body = Body::from_stream(stream::unfold((writer, stop), next));
    response.body(body).unwrap_or_else(|problem| {
        let text = format!("the scripted reply is no valid response: {problem}");
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    })
}

type Progress = (Writer, watch::Receiver<bool>);

/// Runs steps until there is a piece to send; returns it, or none at the end.
async fn next((mut writer, mut stop): Progress) -> Option<(io::Result<Bytes>, Progress)> {
    loop {
        if let Some(piece) = writer.ready.pop_front() {
            if writer.delivery.split.is_some() {
                // Lets the connection write each piece by itself.
                tokio::task::yield_now().await;
            }
            if writer.is_spent() {
                writer.call.finish();
            }
            return Some((Ok(piece), (writer, stop)));
        }
        let advance = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Advance::Stopped,
            advance = writer.advance() => advance,
        };
        match advance {
            Advance::More => {}
            Advance::End => {
                writer.call.finish();
                return None;
            }
            Advance::Cut => {
                // What was sent before has to reach the client before the cut.
                tokio::task::yield_now().await;
                writer.call.finish();
                return Some((Err(io::ErrorKind::ConnectionAborted.into()), (writer, stop)));
            }
            Advance::Stopped => {
                let stopped = io::Error::other("the sandbox is stopping");
                return Some((Err(stopped), (writer, stop)));
            }
        }
    }
}

/// The part of a reply that is not sent yet.
struct Writer {
    steps: VecDeque<Step>,
    ready: VecDeque<Bytes>,
    /// Gathers the events instead of sending them, for a non-stream answer.
    folded: Option<Folded>,
    delivery: Box<Delivery>,
    exchange: Exchange,
    call: Call,
}

enum Advance {
    More,
    End,
    Cut,
    Stopped,
}

impl Writer {
    fn new(form: Form, delivery: Box<Delivery>, exchange: Exchange, call: Call) -> Self {
        let is_whole = matches!(form, Form::Json(_) | Form::Body { .. });
        let steps: Vec<Step> = match form {
            Form::Parts(parts) => parts.steps(exchange.estimate),
            Form::Steps(steps) => steps,
            Form::Json(mut body) => {
                name_model(&mut body, &exchange.requested);
                vec![Step::Raw(body.to_string().into())]
            }
            Form::Body { bytes, .. } => vec![Step::Raw(bytes)],
        };
        let mut writer = Self {
            steps: opened(steps.into(), &delivery),
            ready: VecDeque::new(),
            folded: None,
            delivery,
            exchange,
            call,
        };
        if is_whole || !writer.exchange.streamed {
            writer.send(PADDING.repeat(writer.delivery.padding).into());
        }
        if !is_whole && !writer.exchange.streamed {
            writer.folded = Some(Folded::default());
        }
        writer
    }

    fn is_spent(&self) -> bool {
        self.ready.is_empty() && self.steps.is_empty() && self.folded.is_none()
    }

    async fn advance(&mut self) -> Advance {
        let Some(step) = self.steps.pop_front() else {
            return self.close();
        };
        match step {
            Step::Data(event) => self.event(event).await,
            Step::Repeat(_, 0) => {}
            Step::Repeat(event, times) => {
                self.steps.push_front(Step::Repeat(event.clone(), times - 1));
                self.event(event).await;
            }
            // A fold that never ends would only fill the memory.
            Step::Endless(_) if self.folded.is_some() => future::pending().await,
            Step::Endless(event) => {
                self.steps.push_front(Step::Endless(event.clone()));
                self.event(event).await;
            }
            Step::Raw(bytes) if self.folded.is_none() => self.send(bytes),
            Step::Comment if self.folded.is_none() => self.send_lines(": OPENROUTER PROCESSING"),
            Step::Done if self.folded.is_none() => self.send_lines("data: [DONE]"),
            Step::Raw(_) | Step::Comment | Step::Done => {}
            Step::Gate(gate) => gate.wait().await,
            Step::Pause(time) => tokio::time::sleep(time).await,
            Step::Hang => future::pending().await,
            Step::Cut => return self.cut(),
        }
        Advance::More
    }

    async fn event(&mut self, mut event: Value) {
        if self.delivery.pace > Duration::ZERO {
            tokio::time::sleep(self.delivery.pace).await;
        }
        if let Some(folded) = &mut self.folded {
            folded.add(&event);
            return;
        }
        self.exchange.complete(&mut event);
        self.send_lines(&format!("data: {event}"));
        if self.delivery.comment_after_each {
            self.send_lines(": OPENROUTER PROCESSING");
        }
    }

    /// Sends the folded body once, then ends.
    fn close(&mut self) -> Advance {
        let Some(folded) = self.folded.take() else {
            return Advance::End;
        };
        if let Some(body) = folded.body(&self.exchange) {
            self.send(body.to_string().into());
        }
        Advance::More
    }

    /// Sends half of the folded body once, then cuts.
    fn cut(&mut self) -> Advance {
        let Some(folded) = self.folded.take() else {
            return Advance::Cut;
        };
        if let Some(body) = folded.body(&self.exchange) {
            let body = Bytes::from(body.to_string());
            self.send(body.slice(..body.len() / 2));
        }
        self.steps.push_front(Step::Cut);
        Advance::More
    }

    fn send_lines(&mut self, line: &str) {
        let end = if self.delivery.crlf { "\r\n\r\n" } else { "\n\n" };
        self.send(format!("{line}{end}").into());
    }

    fn send(&mut self, mut bytes: Bytes) {
        if let Some(size) = self.delivery.split {
            while bytes.len() > size.get() {
                self.ready.push_back(bytes.split_to(size.get()));
            }
        }
        if !bytes.is_empty() {
            self.ready.push_back(bytes);
        }
    }
}

/// Puts the comments, the wait and the gates of the delivery among the steps.
fn opened(mut steps: VecDeque<Step>, delivery: &Delivery) -> VecDeque<Step> {
    let first = steps.iter().position(|step| matches!(step, Step::Data(_)));
    if let (Some(first), Some(gate)) = (first, &delivery.rest_gate) {
        steps.insert(first + 1, Step::Gate(gate.clone()));
    }
    let mut opened: VecDeque<Step> = (0..delivery.comments).map(|_| Step::Comment).collect();
    if delivery.first_after > Duration::ZERO {
        opened.push_back(Step::Pause(delivery.first_after));
    }
    opened.extend(delivery.first_gate.clone().map(Step::Gate));
    opened.extend(steps);
    opened
}

/// Puts the requested model's id in place of `{model}` in every text.
fn name_model(value: &mut Value, model: &str) {
    match value {
        Value::String(text) if text.contains("{model}") => *text = text.replace("{model}", model),
        Value::Array(values) => values.iter_mut().for_each(|value| name_model(value, model)),
        Value::Object(fields) => fields.values_mut().for_each(|value| name_model(value, model)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
