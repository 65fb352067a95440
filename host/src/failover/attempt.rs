//! One try: one upstream call, up to the moment from which there is no way back.
//!
//! For a client that reads as the answer comes, that is the first chunk with
//! substance; for one that wants the whole, its end, so that even a failure in
//! the middle can still be answered by another model. Classifies and notes;
//! chooses nothing.

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
        chunk::{Chunk, FinishReason},
        tools::ToolCalls,
    },
    failover::ledger::Ledger,
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
    /// How much to hold back.
    pub(super) hold: Hold,
}

impl Attempt<'_> {
    /// Makes the call.
    ///
    /// A failure is noted before it is returned. Dropping the future ends the
    /// call upstream and counts as neither success nor failure.
    pub(super) async fn run(self) -> Result<Reply, Failure> {
        let flight = Flight::begin(self.ledger, self.id);
        let opened = timeout_at(self.first_by, self.open()).await;
        let opened = opened.unwrap_or_else(|_| {
            let waited = flight.started.elapsed().as_secs_f32();
            Err(Failure::new(FailureKind::TimedOut, format!("nothing of an answer came within {waited:.1} s")))
        });
        let (held, answer) = opened.inspect_err(|failure| self.ledger.failed(self.id, failure))?;
        let mut reply = Reply {
            first_token: flight.started.elapsed(),
            first_at: Instant::now(),
            held: VecDeque::new(),
            answer: Some(answer),
            tokens: 0,
            calls: ToolCalls::default(),
            cut_short: false,
            flight,
        };
        for chunk in &held {
            reply.look_at(chunk);
        }
        reply.held = held;
        if self.hold == Hold::Everything {
            reply.hold_everything().await?;
        }
        Ok(reply)
    }

    /// Sends, and reads up to the first chunk with substance.
    async fn open(&self) -> Result<(VecDeque<Chunk>, Answer), Failure> {
        let mut answer = self.client.chat(self.body.clone()).await?;
        let mut held = VecDeque::new();
        while let Some(chunk) = answer.next().await {
            let chunk = chunk?;
            let has_substance = chunk.has_substance();
            held.push_back(chunk);
            if has_substance {
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
    /// Whether the limit of tokens ended the answer, so that it may end anywhere.
    cut_short: bool,
    flight: Flight,
}

impl Reply {
    /// Returns how long the first substance took.
    pub fn first_token(&self) -> Duration {
        self.first_token
    }

    /// Reads to the end, and makes sure that what came is an answer.
    async fn hold_everything(&mut self) -> Result<(), Failure> {
        let mut bytes = 0;
        let mut all = std::mem::take(&mut self.held);
        while let Some(chunk) = self.next().await {
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

    /// Notes what a chunk says of tokens, calls and the end.
    fn look_at(&mut self, chunk: &Chunk) {
        match chunk.usage {
            Some(usage) => self.tokens = u32::try_from(usage.completion_tokens).unwrap_or(u32::MAX),
            None => self.tokens = self.tokens.saturating_add(1),
        }
        if let Some(choice) = chunk.choice() {
            choice.delta().tool_calls.iter().for_each(|fragment| self.calls.add(fragment));
        }
        self.cut_short |= chunk.finish_reason() == Some(FinishReason::Length);
    }

    fn note(&mut self, failure: Failure) -> Failure {
        self.answer = None;
        self.flight.ledger.failed(&self.flight.id, &failure);
        failure
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
                this.look_at(&chunk);
                Poll::Ready(Some(Ok(chunk)))
            }
            Some(Err(failure)) => Poll::Ready(Some(Err(this.note(failure)))),
            None => {
                let calls = std::mem::take(&mut this.calls);
                // A client that allows few tokens gets what fits: its own doing.
                if !this.cut_short
                    && let Some(failure) = broken(calls)
                {
                    return Poll::Ready(Some(Err(this.note(failure))));
                }
                this.note_success();
                Poll::Ready(None)
            }
        }
    }
}

/// A call in progress, counted as such until it is dropped.
struct Flight {
    ledger: Arc<Ledger>,
    id: ModelId,
    started: Instant,
}

impl Flight {
    fn begin(ledger: &Arc<Ledger>, id: &ModelId) -> Self {
        ledger.begin(id);
        Self { ledger: Arc::clone(ledger), id: id.clone(), started: Instant::now() }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.ledger.end(&self.id);
    }
}

/// Tool calls that no client can read make an answer worthless.
fn broken(calls: ToolCalls) -> Option<Failure> {
    let broken = calls
        .finish(String::new)
        .into_iter()
        .find(|call| serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_err())?;
    let message = format!("the arguments of the call of `{}` are no JSON", broken.name);
    Some(Failure::new(FailureKind::BadAnswer, message))
}
