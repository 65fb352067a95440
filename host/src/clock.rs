//! What time it is.
//!
//! The only place that asks the system for the time of day. The domain never does: there
//! `now` is an argument. Spans are measured by `Instant` where they are needed.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns now, in milliseconds since 1970: the time that is remembered.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
