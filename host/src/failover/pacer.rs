//! The account's pace: how many calls may start within a minute.
//!
//! Remembers the starts of the last minute, with a queue behind them. Whoever
//! comes is given its turn at once: first come, first served, each a minute after
//! the one that is `per_minute` places before it. So one that would be late is
//! told so on arrival, and one that leaves gives its place to those behind it.
//! Knows nothing of models.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// What OpenRouter counts by.
const MINUTE: Duration = Duration::from_mins(1);

/// No minute's limit holds longer, whatever the upstream's clock says.
const LONGEST_HOLD: Duration = Duration::from_secs(65);

/// Starts calls at the pace that the account allows.
pub(super) struct Pacer {
    queue: Mutex<Queue>,
    /// Counts the changes of turns that were given already.
    changes: watch::Sender<u64>,
}

/// A turn would come too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLate {
    /// How long the wait would be.
    pub(super) wait: Duration,
}

struct Queue {
    /// Calls a minute; 0 does not pace.
    per_minute: usize,
    /// When the last calls started, the oldest in front; at most `per_minute`.
    starts: VecDeque<Instant>,
    /// Who waits, in the order in which they came.
    waiting: VecDeque<Place>,
    next_id: u64,
    /// Nobody starts before this: the upstream said so.
    held_until: Instant,
}

/// A place in the queue.
struct Place {
    id: u64,
    deadline: Instant,
    turn: Instant,
}

impl Pacer {
    /// Makes a pacer that has seen no call yet.
    pub(super) fn new(per_minute: u32) -> Self {
        let queue = Queue {
            per_minute: usize::try_from(per_minute).unwrap_or(usize::MAX),
            starts: VecDeque::new(),
            waiting: VecDeque::new(),
            next_id: 0,
            held_until: Instant::now(),
        };
        Self { queue: Mutex::new(queue), changes: watch::Sender::new(0) }
    }

    /// Waits for its turn, but not beyond `deadline`: a turn that would come
    /// later is refused at once, be it on arrival or when a hold delays it.
    ///
    /// A caller that is dropped while it waits has taken nothing.
    pub(super) async fn turn(&self, deadline: Instant) -> Result<(), TooLate> {
        let mut changes = self.changes.subscribe();
        let mut ticket = Ticket { pacer: self, id: self.queue().join(deadline), is_in: true };
        loop {
            let turn = {
                let mut queue = self.queue();
                let Some(turn) = queue.turn_of(ticket.id) else {
                    // A hold has pushed it out.
                    ticket.is_in = false;
                    return Err(TooLate { wait: queue.next_turn().saturating_duration_since(Instant::now()) });
                };
                if turn <= Instant::now() {
                    queue.start(ticket.id);
                    ticket.is_in = false;
                    return Ok(());
                }
                turn
            };
            tokio::select! {
                () = sleep_until(turn) => {}
                // The sender is ours, so this is never an error.
                _ = changes.changed() => {}
            }
        }
    }

    /// Lets nobody start for a while, because the upstream asked for it.
    pub(super) fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_HOLD);
        let mut queue = self.queue();
        if until > queue.held_until {
            queue.held_until = until;
            queue.arrange();
            drop(queue);
            self.tell();
        }
    }

    /// Returns how many wait for their turn.
    pub(super) fn queued(&self) -> usize {
        self.queue().waiting.len()
    }

    fn tell(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // The arithmetic does not panic; if it did, every place is whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the place back when its holder goes.
struct Ticket<'a> {
    pacer: &'a Pacer,
    id: u64,
    is_in: bool,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.is_in {
            self.pacer.queue().leave(self.id);
            self.pacer.tell();
        }
    }
}

impl Queue {
    /// Takes the last place, if its turn is in time, and returns its number.
    fn join(&mut self, deadline: Instant) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let turn = self.next_turn();
        if turn <= deadline.max(Instant::now()) {
            self.waiting.push_back(Place { id, deadline, turn });
        }
        id
    }

    fn turn_of(&self, id: u64) -> Option<Instant> {
        let place = self.waiting.binary_search_by_key(&id, |place| place.id).ok()?;
        self.waiting.get(place).map(|place| place.turn)
    }

    /// Turns a place into a start.
    fn start(&mut self, id: u64) {
        self.waiting.retain(|place| place.id != id);
        if self.per_minute > 0 {
            self.starts.push_back(Instant::now());
            let extra = self.starts.len().saturating_sub(self.per_minute);
            self.starts.drain(..extra);
        }
    }

    fn leave(&mut self, id: u64) {
        self.waiting.retain(|place| place.id != id);
        self.arrange();
    }

    /// Gives every place its turn anew; those that would be late lose it.
    fn arrange(&mut self) {
        for mut place in std::mem::take(&mut self.waiting) {
            place.turn = self.next_turn();
            if place.turn <= place.deadline {
                self.waiting.push_back(place);
            }
        }
    }

    /// Returns when the next to come may start: a minute after the one that is
    /// `per_minute` places before it, and never before those that came earlier.
    fn next_turn(&self) -> Instant {
        let held = self.held_until.max(Instant::now());
        let last = self.waiting.back().map_or(held, |place| place.turn.max(held));
        if self.per_minute == 0 {
            return last;
        }
        let Some(before) = (self.starts.len() + self.waiting.len()).checked_sub(self.per_minute) else { return last };
        let full = match before.checked_sub(self.starts.len()) {
            Some(place) => self.waiting.get(place).map(|place| place.turn),
            None => self.starts.get(before).copied(),
        };
        full.map_or(last, |full| last.max(full + MINUTE))
    }
}

#[cfg(test)]
mod tests;
