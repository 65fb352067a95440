//! One try: one upstream call, up to the moment from which there is no way back.
//!
//! For a client that reads as the answer comes, that is the first chunk with
//! substance (tool calls apart, where they are told whole); for one that wants the
//! whole, its end, so that even a failure in the middle can still be answered by
//! another model. Classifies and notes; chooses nothing.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use crate::{
    catalog::ModelId,
    chat::{
        chunk::{Chunk, FinishReason, Usage},
        repeats::Repeats,
        tools::ToolCalls,
    },
    clock::now_ms,
    failover::{budget::Scout, ledger::Ledger},
    openrouter::{Client, answer::Answer},
    routing::{Failure, FailureKind},
};

/// Chunks without substance that are held before the first with some; a stream
/// that has more of them says nothing.
const MAX_IDLE_CHUNKS: usize = 1024;

/// Bytes of a whole answer that are held until it is complete.
const MAX_WHOLE_BYTES: usize = 64 << 20;

/// How much of an answer is held back before anything goes to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Until the first chunk with substance.
    FirstSubstance,
    /// Until the first chunk with substance that is no tool call; calls are held
    /// until they are complete.
    Calls,
    /// Until its end.
    Everything,
}

/// One call to one model.
pub(super) struct Attempt<'a> {
    /// Where to send it.
    pub(super) client: &'a Client,
    /// Where to note what happens.
    pub(super) ledger: &'a Arc<Ledger>,
    /// The model.
    pub(super) id: &'a ModelId,
    /// What to send.
    pub(super) body: Bytes,
    /// When the first substance must have come.
    pub(super) first_by: Instant,
    /// Whether that is sooner than a model is usually given: then a model that is
    /// late is not to blame.
    pub(super) hurried: bool,
    /// How much to hold back.
    pub(super) hold: Hold,
    /// Whether nothing may cost anything.
    pub(super) free_mode: bool,
    /// How many pieces in a row may repeat those before them.
    pub(super) max_repeats: u32,
    /// Held until the head of an answer is here, if others wait for it.
    pub(super) scout: Option<Scout<'a>>,
}

impl Attempt<'_> {
    /// Makes the call.
    ///
    /// A failure is noted before it is returned. Dropping the future ends the
    /// call upstream and counts as neither success nor failure.
    pub(super) async fn run(mut self) -> Result<Reply, Failure> {
        let flight = Flight::begin(self.ledger, self.id);
        let (held, answer) = match timeout_at(self.first_by, self.open()).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(failure)) => return Err(flight.failed(failure)),
            Err(_) => {
                let waited = flight.started.elapsed().as_secs_f32();
                let message = format!("nothing of an answer came within {waited:.1} s");
                let late = Failure::new(FailureKind::TimedOut, message);
                return Err(if self.hurried { late } else { flight.failed(late) });
            }
        };
        let mut reply = Reply {
            first_token: flight.started.elapsed(),
            first_at: Instant::now(),
            held: VecDeque::new(),
            answer: Some(answer),
            tokens: 0,
            calls: ToolCalls::default(),
            repeats: Repeats::new(self.max_repeats),
            ended: false,
            free_mode: self.free_mode,
            flight,
        };
        if let Some(failure) = held.iter().find_map(|chunk| reply.look_at(chunk)) {
            return Err(reply.note(failure));
        }
        if let Some(reason) = held.back().and_then(Chunk::finish_reason)
            && let Some(failure) = reply.unreadable_call(Some(reason))
        {
            return Err(reply.note(failure));
        }
        reply.held = held;
        match self.hold {
            Hold::FirstSubstance => {}
            Hold::Calls => reply.hold_while(|chunk| chunk.finish_reason().is_none() && chunk.has_only_calls()).await?,
            Hold::Everything => reply.hold_while(|_| true).await?,
        }
        Ok(reply)
    }

    /// Sends, and reads up to the first chunk with substance.
    async fn open(&mut self) -> Result<(VecDeque<Chunk>, Answer), Failure> {
        let mut answer = self.client.chat(self.body.clone()).await?;
        if self.scout.take().is_some() {
            self.ledger.budget().prove();
        }
        let mut held = VecDeque::new();
        while let Some(chunk) = answer.next().await {
            let chunk = chunk?;
            // A limit of few tokens, or a filter, may leave nothing: that is an answer.
            let is_cut = matches!(chunk.finish_reason(), Some(FinishReason::Length | FinishReason::ContentFilter));
            let commits = chunk.has_substance() || is_cut;
            held.push_back(chunk);
            if commits {
                return Ok((held, answer));
            }
            if held.len() > MAX_IDLE_CHUNKS {
                break;
            }
        }
        Err(Failure::new(FailureKind::Empty, "the answer is complete and says nothing"))
    }
}

/// An answer from its first substance on, as a stream of chunks.
///
/// What was held comes first. Ends after the last chunk of a complete answer or
/// after a failure, and has both noted. Dropping it earlier means that the
/// client went away: the call upstream ends, and nothing is noted.
pub struct Reply {
    held: VecDeque<Chunk>,
    answer: Option<Answer>,
    first_token: Duration,
    first_at: Instant,
    tokens: u32,
    /// The tool calls so far, to see at the end whether they can be read.
    calls: ToolCalls,
    /// Whether it says the same again and again.
    repeats: Repeats,
    /// Whether a finish reason came.
    ended: bool,
    free_mode: bool,
    flight: Flight,
}

impl Reply {
    /// Returns how long the first substance took.
    pub fn first_token(&self) -> Duration {
        self.first_token
    }

    /// Reads on, and holds what comes, up to the first chunk that need not be held.
    async fn hold_while(&mut self, must_hold: impl Fn(&Chunk) -> bool) -> Result<(), Failure> {
        let mut all = std::mem::take(&mut self.held);
        let mut bytes = 0;
        while all.back().is_none_or(&must_hold)
            && let Some(chunk) = self.next().await
        {
            let chunk = chunk?;
            bytes += chunk.raw.len();
            if bytes > MAX_WHOLE_BYTES {
                return Err(self.note(Failure::new(FailureKind::BadAnswer, "the answer is longer than any")));
            }
            all.push_back(chunk);
        }
        self.held = all;
        Ok(())
    }

    /// Notes what a chunk says of tokens, cost and calls, and tells what is wrong
    /// with the answer by now.
    fn look_at(&mut self, chunk: &Chunk) -> Option<Failure> {
        match chunk.usage {
            Some(usage) => self.count(usage),
            None => self.tokens = self.tokens.saturating_add(1),
        }
        if let Some(choice) = chunk.choice() {
            choice.delta().tool_calls.iter().for_each(|fragment| self.calls.add(fragment));
        }
        let endless = self.repeats.add(chunk);
        endless.then(|| Failure::new(FailureKind::BadAnswer, "the answer repeats itself without end"))
    }

    fn count(&mut self, usage: Usage) {
        self.tokens = u32::try_from(usage.completion_tokens).unwrap_or(u32::MAX);
        if self.free_mode && usage.cost.is_some_and(|cost| cost > 0.0) {
            tracing::error!(model.id = %self.flight.id, cost = usage.cost, "an answer in free mode was not free");
        }
    }

    /// Looks at the calls once, when the answer says that it is over: calls that
    /// no client can read make it worthless.
    fn unreadable_call(&mut self, reason: Option<FinishReason>) -> Option<Failure> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        // A client that allows few tokens gets what fits: its own doing.
        if reason == Some(FinishReason::Length) {
            return None;
        }
        let call = self.calls.unreadable()?;
        self.flight.ledger.bad_call(&self.flight.id);
        let message = match call.name.as_str() {
            "" => "a call of a tool has no name".to_owned(),
            name => format!("the arguments of the call of `{name}` are no JSON object"),
        };
        Some(Failure::new(FailureKind::BadAnswer, message))
    }

    fn note(&mut self, failure: Failure) -> Failure {
        self.answer = None;
        self.flight.failed(failure)
    }

    fn note_success(&mut self) {
        self.answer = None;
        let pace = self.first_at.elapsed();
        self.flight.ledger.answered(&self.flight.id, self.first_token, self.tokens, pace);
    }
}

impl Stream for Reply {
    type Item = Result<Chunk, Failure>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(chunk) = this.held.pop_front() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        let Some(answer) = &mut this.answer else { return Poll::Ready(None) };
        match ready!(Pin::new(answer).poll_next(context)) {
            Some(Ok(chunk)) => {
                let reason = chunk.finish_reason();
                match this.look_at(&chunk).or_else(|| reason.and_then(|_| this.unreadable_call(reason))) {
                    Some(failure) => Poll::Ready(Some(Err(this.note(failure)))),
                    None => Poll::Ready(Some(Ok(chunk))),
                }
            }
            Some(Err(failure)) => Poll::Ready(Some(Err(this.note(failure)))),
            None => {
                if let Some(failure) = this.unreadable_call(None) {
                    return Poll::Ready(Some(Err(this.note(failure))));
                }
                this.note_success();
                Poll::Ready(None)
            }
        }
    }
}

/// A call in progress, counted as such until it is dropped.
pub(super) struct Flight {
    ledger: Arc<Ledger>,
    id: ModelId,
    started: Instant,
    /// The same in milliseconds since 1970.
    began: u64,
}

impl Flight {
    pub(super) fn begin(ledger: &Arc<Ledger>, id: &ModelId) -> Self {
        ledger.begin(id);
        Self { ledger: Arc::clone(ledger), id: id.clone(), started: Instant::now(), began: now_ms() }
    }

    /// Notes that the call failed, and returns what it is taken for.
    pub(super) fn failed(&self, failure: Failure) -> Failure {
        self.ledger.failed(&self.id, failure, self.began)
    }

    /// Notes that the call was answered, all at once.
    pub(super) fn answered(&self) {
        self.ledger.answered(&self.id, self.started.elapsed(), 0, Duration::ZERO);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.ledger.end(&self.id);
    }
}
