//! The router as its clients see it, by behaviour, before a simulated OpenRouter.
//!
//! One binary, so that everything is linked once. Each module says what belongs
//! into it.

#![expect(clippy::unwrap_used, clippy::expect_used, unreachable_pub, reason = "tests")]

// How a router is started and asked.
mod support;

// One good answer, in each protocol and form.
mod chat;
