//! The program under constant traffic while an operator makes changes without end.
//!
//! Good policies, bad ones, hostile ones, settings, filters, chains, rollbacks, by
//! every trigger. No request may be lost or answered wrongly, and nothing may grow:
//! memory, threads, open files, the cache. Where there is no `/proc` only the
//! requests and the cache are held to that.
//!
//! `cargo test` makes 150 changes; `OLLAMA_ROUTER_SOAK=5000` makes five thousand, and
//! `--nocapture` shows the figures. `.ci/run soak` makes a thousand so. What the operator
//! does is in `operator` and `round`, who asks, in `traffic`, and what is measured, in
//! `measure`.

mod measure;
mod operator;
mod round;
mod traffic;

use std::time::Duration;

use ollama_router::sandbox::{Sandbox, reply::Reply as Upstream, scenario::Scenario};

use crate::{
    guests::MODELS,
    soak::{
        measure::{Measured, Sampled},
        operator::{CONFIG, Operator},
        traffic::{Counted, Traffic},
    },
    support::{
        models::free,
        program::{Program, Served},
    },
};

/// Changes of the short form.
const CHANGES: u32 = 150;

/// Changes after which all that is made once is there: threads, connections, what the
/// allocator keeps. What is measured then is held against what is measured at the end.
const WARM: u32 = 100;

/// Between two measurements.
const BETWEEN: u32 = 100;

/// How long a model takes to answer, so that requests last over changes.
const ANSWER: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_and_nothing_grows_over_changes_without_end() {
    let changes = wanted();
    let (_sandbox, program, served) = start().await;
    let traffic = Traffic::start(&served);
    let mut operator = Operator::new(&program, &served, traffic);
    let mut sampled = Sampled::default();
    let mut next = WARM;
    for number in 0.. {
        round::make(&mut operator, number).await;
        if operator.changes >= next.min(changes) {
            next += BETWEEN;
            sampled.add(Measured::of(&operator).await);
        }
        if operator.changes >= changes {
            break;
        }
    }
    let counted = operator.end().await;
    show(counted, &sampled);
    sampled.check();
    assert!(counted.answered > u64::from(changes), "the traffic was not constant: {counted:?}");
    // A machine that stands still for long enough costs a good policy its decision.
    assert!(counted.surprises * 100 <= counted.answered, "good policies were passed over: {counted:?}");
    served.signal("TERM");
    let ran = served.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    // That a policy falls which is made to is the one error that a person is called for.
    let is_wrong = |line: &&str| {
        let is_meant = line.contains("has failed too often and is left alone") && line.contains("policy=fall");
        line.contains("panicked") || line.contains(" ERROR ") && !is_meant
    };
    assert_eq!(ran.err.lines().filter(is_wrong).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[expect(clippy::print_stdout, reason = "the figures are what the long form is made for")]
fn show(counted: Counted, sampled: &Sampled) {
    println!("{counted:?}\n{sampled}");
}

/// Returns how many changes are wanted.
fn wanted() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "the length of this test is no setting of the router")]
    let text = std::env::var("OLLAMA_ROUTER_SOAK").ok();
    text.map_or(CHANGES, |text| text.parse().expect("OLLAMA_ROUTER_SOAK is a number of changes"))
}

async fn start() -> (Sandbox, Program, Served) {
    let sandbox = Sandbox::start(Scenario::quiet().catalog(free(&MODELS))).await.unwrap();
    for model in MODELS {
        sandbox.always(model, Upstream::text(&format!("Hello from {model}.")).first_after(ANSWER));
    }
    let program = Program::new()
        .env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &sandbox.base_url())
        .env("OLLAMA_ROUTER_OPENROUTER_API_KEY", "sk-or-v1-any")
        .env("OLLAMA_ROUTER_FAILOVER_REQUESTS_PER_MINUTE", "0")
        .file(CONFIG, "{}");
    let served = program.serve(&["start", "-H", "127.0.0.1", "-p", "0"]);
    (sandbox, program, served)
}
