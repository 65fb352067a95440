//! How often a model answered, and in which ways it failed, since it is known.
//!
//! Plain counts beside the short window of `health`: for operators, and for what
//! is learned over days. Nothing here rests, grows or decides.

use std::fmt;

use crate::routing::FailureKind;

/// Counts of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Complete answers.
    pub answers: u64,
    /// Answers with tool calls that nobody can read.
    pub bad_calls: u64,
    /// Failures, by kind, those of every kind that ever occurred; a few of twenty.
    failures: Vec<(FailureKind, u64)>,
}

impl Tally {
    /// Counts a failure.
    pub fn failed(&mut self, kind: FailureKind) {
        match self.failures.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.failures.push((kind, 1)),
        }
    }

    /// Returns the failures by kind, in the order in which the kinds came first.
    pub fn failures(&self) -> &[(FailureKind, u64)] {
        &self.failures
    }

    /// Reads what [`fmt::Display`] writes; what it does not understand is left out.
    pub fn parse(text: &str) -> Self {
        let mut tally = Self::default();
        for (name, count) in text.split(' ').filter_map(|part| part.split_once('=')) {
            let Ok(count) = count.parse() else { continue };
            match (name, FailureKind::parse(name)) {
                ("answers", _) => tally.answers = count,
                ("bad-calls", _) => tally.bad_calls = count,
                (_, Some(kind)) if tally.failures.iter().all(|(known, _)| *known != kind) => {
                    tally.failures.push((kind, count));
                }
                _ => {}
            }
        }
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answers={} bad-calls={}", self.answers, self.bad_calls)?;
        self.failures.iter().try_for_each(|(kind, count)| write!(f, " {kind}={count}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_down_and_read_back() {
        let mut tally = Tally { answers: 7, bad_calls: 1, ..Tally::default() };
        for kind in [FailureKind::Overloaded, FailureKind::Empty, FailureKind::Overloaded] {
            tally.failed(kind);
        }
        assert_eq!(tally.to_string(), "answers=7 bad-calls=1 overloaded=2 empty=1");
        assert_eq!(Tally::parse(&tally.to_string()), tally);
        for text in ["", "answers=x", "no-such-kind=3", "overloaded"] {
            assert_eq!(Tally::parse(text), Tally::default(), "{text}");
        }
    }
}
