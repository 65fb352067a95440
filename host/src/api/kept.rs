//! A list as it is told to clients, made once for a generation.
//!
//! Clients ask for the list of models again and again, some before every
//! message, and it changes only with what is in force. Knows nothing of what is
//! in the list.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// The last list that was made.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Option<(u64, Bytes)>>);

impl Kept {
    /// Returns the list of a generation, which `make` makes if it is not kept.
    pub(super) fn of(&self, generation: u64, make: impl FnOnce() -> Bytes) -> Bytes {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, list)) = &*kept
            && *number == generation
        {
            return list.clone();
        }
        let list = make();
        *kept = Some((generation, list.clone()));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_made_once_for_a_generation() {
        let kept = Kept::default();
        let of = |number, text: &'static str| kept.of(number, || Bytes::from_static(text.as_bytes()));
        assert_eq!([of(1, "a"), of(1, "b"), of(2, "c"), of(1, "d")], ["a", "a", "c", "d"]);
    }
}
