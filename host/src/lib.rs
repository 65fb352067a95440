#![doc = include_str!("../ARCHITECTURE.md")]

// In reading order, each layer importing only from those above it.

// Domain: values and arithmetic.
pub mod catalog;
pub mod chat;
pub mod config;
pub mod embeddings;
pub mod routing;

// Adapters: one outside technology each.
pub mod clock;
pub mod openrouter;
pub mod policy;
pub mod store;
pub mod tls;

// Engine.
pub mod current;
pub mod failover;

// Surface.
pub mod api;

// Composition.
pub mod app;
pub mod cli;
pub mod refresh;
pub mod reload;
pub mod telemetry;

// The simulated OpenRouter, which knows nothing of all this.
pub mod sandbox;
