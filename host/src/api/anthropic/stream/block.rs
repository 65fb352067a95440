//! The block that is open, if one is: begins it, goes on with it, closes it.
//!
//! Blocks are numbered and never overlap. Beginning one of another kind closes the
//! one before. When which is due is in [`stream`](super).

use bytes::BytesMut;

use crate::{
    api::anthropic::{
        fresh_call_id, signature,
        stream::event::{Block, Empty, Event, Piece},
    },
    chat::{
        chunk::ReasoningDetail,
        sealed::{Sealed, is_sealed},
        tools::ToolCall,
    },
};

/// What is told word by word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Thinking,
    Text,
}

/// The block that is open.
#[derive(Debug)]
pub(super) struct Open {
    model: String,
    state: State,
    /// How many blocks have begun.
    begun: u32,
    /// What the upstream wants back of the thinking.
    sealed: Sealed,
    /// The ids of the calls so far, those of earlier answers too.
    ids: Vec<String>,
    has_called: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    None,
    Words(Kind),
    /// A call, and how many bytes of its arguments were told.
    Call(usize),
}

impl Open {
    /// Begins with none; `model` is who answers, `taken` the ids that no call may
    /// have.
    pub(super) fn new(model: String, taken: Vec<String>) -> Self {
        Self { model, state: State::None, begun: 0, sealed: Sealed::default(), ids: taken, has_called: false }
    }

    /// Tells whether it is a call.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.state, State::Call(_))
    }

    /// Tells whether a call was told.
    pub(super) fn has_called(&self) -> bool {
        self.has_called
    }

    /// Tells text or thinking, in a block of its kind.
    pub(super) fn say(&mut self, kind: Kind, text: &str, frame: &mut BytesMut) {
        self.words(kind, frame);
        let piece = match kind {
            Kind::Thinking => Piece::ThinkingDelta { thinking: text },
            Kind::Text => Piece::TextDelta { text },
        };
        self.add(piece, frame);
    }

    /// Keeps a piece of the thinking for its signature.
    ///
    /// One that is worth nothing unless it comes back gets a block of its own, if
    /// none is open for it; but not after text unless `calls` follow, for clients
    /// take the last block of an answer for what it says.
    pub(super) fn seal(&mut self, piece: &ReasoningDetail, calls: bool, frame: &mut BytesMut) {
        if is_sealed(piece) && (calls || self.begun == 0) {
            self.words(Kind::Thinking, frame);
        }
        self.sealed.add(piece);
    }

    /// Tells what is new of a call's arguments.
    pub(super) fn call(&mut self, call: &ToolCall, frame: &mut BytesMut) {
        let told = if let State::Call(told) = self.state { told } else { self.begin_call(call, frame) };
        let new = call.arguments.get(told..).unwrap_or_default();
        // Blank arguments are none, and clients cannot read them.
        if !new.is_empty() && !call.arguments.trim().is_empty() {
            self.add(Piece::InputJsonDelta { partial_json: new }, frame);
            self.state = State::Call(call.arguments.len());
        }
    }

    /// Closes it, if one is open.
    pub(super) fn close(&mut self, frame: &mut BytesMut) {
        match std::mem::replace(&mut self.state, State::None) {
            State::None => return,
            State::Words(Kind::Thinking) => {
                let signature = signature::sealed(&self.model, self.sealed.take());
                self.add(Piece::SignatureDelta { signature: &signature }, frame);
            }
            State::Call(0) => self.add(Piece::InputJsonDelta { partial_json: "{}" }, frame),
            State::Words(Kind::Text) | State::Call(_) => {}
        }
        Event::ContentBlockStop { index: self.index() }.write(frame);
    }

    /// Sees to it that a block of a kind is open.
    fn words(&mut self, kind: Kind, frame: &mut BytesMut) {
        if self.state == State::Words(kind) {
            return;
        }
        let block = match kind {
            Kind::Thinking => Block::Thinking { thinking: "", signature: "" },
            Kind::Text => Block::Text { text: "" },
        };
        self.begin(block, State::Words(kind), frame);
    }

    /// Begins a call; nothing of its arguments is told yet.
    fn begin_call(&mut self, call: &ToolCall, frame: &mut BytesMut) -> usize {
        let is_own = !call.id.is_empty() && !self.ids.contains(&call.id);
        let id = if is_own { call.id.clone() } else { fresh_call_id() };
        self.begin(Block::ToolUse { id: &id, name: &call.name, input: Empty {} }, State::Call(0), frame);
        self.ids.push(id);
        self.has_called = true;
        0
    }

    fn begin(&mut self, content_block: Block<'_>, state: State, frame: &mut BytesMut) {
        self.close(frame);
        self.begun += 1;
        self.state = state;
        Event::ContentBlockStart { index: self.index(), content_block }.write(frame);
        if self.begun == 1 {
            Event::Ping {}.write(frame);
        }
    }

    fn add(&self, delta: Piece<'_>, frame: &mut BytesMut) {
        Event::ContentBlockDelta { index: self.index(), delta }.write(frame);
    }

    fn index(&self) -> u32 {
        self.begun.saturating_sub(1)
    }
}
