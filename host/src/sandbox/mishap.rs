//! The failures of the demo: which call fails, and how.
//!
//! One call in six, dealt from a shuffled deck: exactly one failure in each six
//! calls, so at most two follow each other and a chain of four tries always
//! gets its answer. Each is one that a router can hide by asking another
//! model. One seed gives one course of events.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;

use crate::sandbox::reply::Reply;
use crate::sandbox::reply::step::Step;

/// One call in this many fails.
const CALLS_PER_MISHAP: usize = 6;

/// One mishap in this many is a hang, which costs a client its patience.
const MISHAPS_PER_HANG: usize = 16;

/// Comment lines sent during a hang, one per `HANG_PACE`.
const HANG_COMMENTS: usize = 25;

/// A hang lasts 25 s: longer than the router's usual wait for a first token
/// (20 s), and still over by itself for someone who asks the sandbox directly.
const HANG_PACE: Duration = Duration::from_secs(1);

/// How long the answer that breaks off takes to begin, and between two words.
const BROKEN_FIRST: Duration = Duration::from_millis(150);
const BROKEN_PACE: Duration = Duration::from_millis(40);

/// Returns the answer of the model that breaks off each time.
pub(super) fn broken_off() -> Reply {
    let text = "This answer is simulated, and it breaks off in the middle of its";
    let reply = Reply::text(text).then_error_chunk(502, "Upstream provider disconnected");
    reply.comments(2).first_after(BROKEN_FIRST).pace(BROKEN_PACE)
}

/// The shuffled deck from which calls draw their luck.
#[derive(Debug)]
pub(super) struct Deck {
    chance: Rng,
    luck: VecDeque<bool>,
    dealt: usize,
}

impl Deck {
    pub(super) fn new(seed: u64) -> Self {
        Self { chance: Rng::with_seed(seed), luck: VecDeque::new(), dealt: 0 }
    }

    /// Draws for one call: a failing reply, or none when it goes well.
    pub(super) fn deal(&mut self) -> Option<Reply> {
        if self.luck.is_empty() {
            let failing = self.chance.usize(0..CALLS_PER_MISHAP);
            self.luck.extend((0..CALLS_PER_MISHAP).map(|place| place == failing));
        }
        if !self.luck.pop_front()? {
            return None;
        }
        self.dealt += 1;
        if self.dealt.is_multiple_of(MISHAPS_PER_HANG) {
            return Some(hang());
        }
        Some(self.draw())
    }

    fn draw(&mut self) -> Reply {
        // The order of likelihood seen on free models: rate limits lead.
        match self.chance.usize(0..8) {
            0..3 => Reply::upstream_limit(),
            3 => Reply::error_event(502, "Network connection lost.").comments(1),
            4 => Reply::error_chunk(502, "JSON error injected into SSE stream").comments(1),
            5 => Reply::no_instances(),
            6 => Reply::connection_lost(),
            _ => Reply::empty().comments(1),
        }
    }
}

fn hang() -> Reply {
    let wait = [Step::Comment, Step::Pause(HANG_PACE)];
    let waits = wait.into_iter().cycle().take(2 * HANG_COMMENTS);
    Reply::stream(waits.chain([Step::Cut]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_in_six_fails_and_never_three_in_a_row() {
        let mut deck = Deck::new(7);
        let luck: Vec<bool> = (0..600).map(|_| deck.deal().is_some()).collect();
        assert_eq!(luck.iter().filter(|fails| **fails).count(), 100);
        assert!(luck.windows(3).all(|three| three != [true; 3]));
    }

    #[test]
    fn one_seed_gives_one_course_of_events() {
        let course = |seed| -> Vec<String> {
            let mut deck = Deck::new(seed);
            (0..60).map(|_| format!("{:?}", deck.deal())).collect()
        };
        assert_eq!(course(3), course(3));
        assert_ne!(course(3), course(4));
    }
}
