//! What must hold, worked out from the nature of each reply and nothing else.
//!
//! It does not predict which models are called; it judges the calls that were
//! made, and says what the client must have seen of them.

use std::collections::BTreeSet;

use super::MODELS;

/// What a reply is by nature; the number picks one of several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// A complete answer.
    Sound,
    /// The model fails before it says anything.
    Fails(u8),
    /// The model fails after its first words.
    Breaks(u8),
    /// Model and request do not suit each other; the model is innocent.
    Unfit(u8),
    /// The same, where only a larger model can do.
    TooLong,
    /// The request is refused, perhaps by this model alone.
    PerhapsRequest,
    /// The request is refused for good.
    Request(u8),
    /// The key is refused.
    Key(u8),
    /// The account may send nothing for now.
    Account(u8),
}

impl Nature {
    /// Every way in which a model is to blame.
    pub(super) const OF_MODELS: [Self; 14] = [
        Self::Fails(0),
        Self::Fails(1),
        Self::Fails(2),
        Self::Fails(3),
        Self::Fails(4),
        Self::Fails(5),
        Self::Fails(6),
        Self::Fails(7),
        Self::Fails(8),
        Self::Fails(9),
        Self::Breaks(0),
        Self::Breaks(1),
        Self::Breaks(2),
        Self::Breaks(3),
    ];

    /// Every way in which none is.
    pub(super) const OTHERS: [Self; 10] = [
        Self::Unfit(0),
        Self::Unfit(1),
        Self::TooLong,
        Self::PerhapsRequest,
        Self::Request(0),
        Self::Request(1),
        Self::Key(0),
        Self::Key(1),
        Self::Account(0),
        Self::Account(1),
    ];
}

/// What a client must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The whole answer of this model.
    Whole(usize),
    /// The first words of this model, then an error.
    Broken(usize),
    /// An error.
    Error,
}

impl Seen {
    /// Returns the model that answered.
    pub(super) fn model(self) -> Option<usize> {
        match self {
            Self::Whole(model) | Self::Broken(model) => Some(model),
            Self::Error => None,
        }
    }
}

/// What is so after the requests so far.
#[derive(Debug, Default)]
pub(super) struct World {
    resting: BTreeSet<usize>,
    /// Models that refused a request for its size; a router may remember that, and
    /// leave them out of requests that are no smaller.
    too_small: BTreeSet<usize>,
    /// The account may send nothing for now; that is so to the end of a case.
    account_is_closed: bool,
    /// The key failed; a router may remember that, or try again.
    key_failed: bool,
}

impl World {
    /// Returns whether a model must be resting.
    pub(super) fn rests(&self, model: usize) -> bool {
        self.resting.contains(&model)
    }

    /// Judges the calls for a client that read to the end.
    pub(super) fn answered(
        &mut self,
        calls: &[usize],
        natures: [Nature; MODELS.len()],
        streaming: bool,
    ) -> Result<Seen, &'static str> {
        if calls.is_empty() {
            let may_refuse = self.account_is_closed || self.key_failed || self.too_small.len() == MODELS.len();
            return if may_refuse { Ok(Seen::Error) } else { Err("promise 1: nobody was called") };
        }
        if self.account_is_closed {
            return Err("promise 3: a call that the account cannot make uses up its quota");
        }
        self.begin(calls)?;
        let ready = self.ready();
        let mut refusals = 0;
        let mut room = MODELS.len();
        for (place, &model) in calls.iter().enumerate() {
            let is_last = place + 1 == calls.len();
            let over = match natures[model] {
                Nature::Sound => {
                    self.resting.remove(&model);
                    Some(Seen::Whole(model))
                }
                Nature::Fails(_) => {
                    self.resting.insert(model);
                    None
                }
                Nature::Breaks(_) => {
                    self.resting.insert(model);
                    streaming.then_some(Seen::Broken(model))
                }
                Nature::Unfit(_) => None,
                Nature::TooLong => {
                    room = room.min(model);
                    self.too_small.insert(model);
                    None
                }
                Nature::PerhapsRequest => {
                    refusals += 1;
                    (refusals > 1).then_some(Seen::Error)
                }
                Nature::Request(_) => Some(Seen::Error),
                Nature::Key(_) => {
                    self.key_failed = true;
                    Some(Seen::Error)
                }
                Nature::Account(_) => {
                    self.account_is_closed = true;
                    Some(Seen::Error)
                }
            };
            match over {
                Some(seen) if is_last => return Ok(seen),
                Some(_) => return Err("a call too many: the request was over"),
                None => {}
            }
        }
        let is_untried = |model: &usize| *model < room && !calls.contains(model);
        if ready.iter().any(is_untried) {
            return Err("promise 1: a model that was ready was not asked");
        }
        Ok(Seen::Error)
    }

    /// Judges the calls for a client that went away after the first words.
    pub(super) fn left(&mut self, calls: &[usize], natures: [Nature; MODELS.len()]) -> Result<(), &'static str> {
        let Some((&last, before)) = calls.split_last() else { return Err("words without a call") };
        if !matches!(natures[last], Nature::Sound | Nature::Breaks(_)) {
            return Err("words of a model that has none");
        }
        self.begin(calls)?;
        // It neither answered nor failed: nothing is noted of the last one.
        for &model in before {
            match natures[model] {
                Nature::Fails(_) => drop(self.resting.insert(model)),
                Nature::TooLong => drop(self.too_small.insert(model)),
                Nature::Unfit(_) | Nature::PerhapsRequest => {}
                Nature::Sound | Nature::Breaks(_) | Nature::Request(_) | Nature::Key(_) | Nature::Account(_) => {
                    return Err("a call too many: the request was over");
                }
            }
        }
        Ok(())
    }

    fn begin(&self, calls: &[usize]) -> Result<(), &'static str> {
        if calls.iter().any(|model| *model >= MODELS.len()) {
            return Err("promise 3: a model that costs was called");
        }
        let distinct: BTreeSet<_> = calls.iter().collect();
        if distinct.len() != calls.len() {
            return Err("a model was called twice");
        }
        let resting = calls.iter().filter(|model| self.resting.contains(model)).count();
        match (self.ready().is_empty(), resting) {
            (_, 0) | (true, 1) => Ok(()),
            (false, _) => Err("a model that rests was called"),
            (true, _) => Err("none is ready, and more than the one due first was called"),
        }
    }

    /// Returns the models that nothing speaks against.
    fn ready(&self) -> Vec<usize> {
        (0..MODELS.len()).filter(|model| !self.resting.contains(model) && !self.too_small.contains(model)).collect()
    }
}
