//! The router as its clients see it, by behaviour, before a simulated OpenRouter.
//!
//! One binary, so that everything is linked once. Each module says what belongs
//! into it.

#![expect(clippy::unwrap_used, clippy::expect_used, unreachable_pub, reason = "tests")]

// How a router is started and asked.
mod support;

// Policies made of WebAssembly text.
mod guests;

// One good answer, in each protocol and form.
mod chat;

// OpenAI's Responses API.
mod responses;
// Anthropic's Messages API, both ways.
mod anthropic;

// Vectors for texts.
mod embed;

// Request bodies that come compressed.
mod encoding;

// What goes upstream for what a client sends.
mod upstream;

// OpenAI's protocol: chats, completions, vectors, models, and the guards of free mode.
mod openai;

// Every way a reply can fail, in every protocol and form.
mod fault_matrix;

// A model fails before its first words: the next one answers.
mod failover;

// No model answers: what the client is told.
mod exhausted;

// After the first words: good ends, breaks, clients that leave.
mod streaming;

// The same on the wire of Ollama's protocol, ending by ending.
mod stream_table;

// Random streams of the upstream: no line or ending that a client cannot read.
mod random_streams;

// What is remembered of failures, on disk and over a restart.
mod cooldown;

// What the account may send: its day, its minute, its keys.
mod account;

// What refusals teach of models.
mod learning;

// Which model a name means; free mode never spends.
mod names;

// Corners of the promises in which a fault once hid.
mod promises;

// The promises, over sequences of outcomes that nobody chose.
mod promises_property;

// Lists and single models, version, health, the operators' view.
mod models;

// Requests that cannot be answered, and paths that do not exist.
mod bad_input;

// What operators see of failures, and how they have them forgotten.
mod status;

// What a scraper reads.
mod metrics;

// Ollama's routes that manage models.
mod manage;

// The ten points by which one accepts a server for Ollama's.
mod checklist;

// What each client insists on that cannot run here, over awkward models.
mod contracts;

// Who may use the router, and who may look into it.
mod access;

// Which web pages may use it, and under which names.
mod origin;

// The data folder: the copy of the catalogue, the database, and their damage.
mod files;

// What the database survives: kills at any moment, a disk that refuses.
mod crash;

// The end of a router: streams may end, nothing new begins.
mod shutdown;

// The program from its command line: exit codes, words, signals.
mod cli;

// The same, command by command: whole outputs, off a terminal and on one.
#[cfg(unix)]
mod cli_authors;
#[cfg(unix)]
mod cli_cache;
#[cfg(unix)]
mod cli_doctor;
mod cli_help;
mod cli_live;
#[cfg(unix)]
mod cli_models;
#[cfg(unix)]
mod cli_policy;
#[cfg(unix)]
mod cli_start;
#[cfg(unix)]
mod cli_status;

// Certificates of authorities, where there are none.
#[cfg(target_os = "linux")]
mod authorities;

// HTTPS, and its certificates: those that are renewed, refused, over.
#[cfg(unix)]
mod certificates;
#[cfg(unix)]
mod https;

// What a person sees who runs it in a terminal.
#[cfg(unix)]
mod terminal;

// The settings file: shown, changed, edited; and made by questions.
mod config;
mod config_edit;
#[cfg(unix)]
mod config_felt;
#[cfg(unix)]
mod wizard;

// The commands for those who write policies, which need no router.
mod authors;
mod new_policy;

// What a policy may use: time, memory, tables, stack, copies; at loading and later.
mod policy_limits;

// What a policy must not reach: the system, the network, the time, other policies.
mod policy_isolation;

// What a policy must not say or be: wrong files, wrong views, wrong answers.
mod policy_guards;

// Changes while the router runs, by the watch and by call; the compiled cache.
mod reload;
mod reload_phases;

// Files that are saved again and again.
mod bursts;

// Many answers at once while policies are swapped.
mod swap;

// Changes that fail, and the way back.
mod rollback;

// Hundreds of changes of every kind under constant traffic: nothing is lost, nothing grows.
mod soak;

// Why this model and not that one.
mod explain;

// The decision log, and its replay.
mod decisions;

// Several policies, and one that is asked along.
mod policy_chain;
