//! Five hundred streamed answers at once while policies are swapped.
//!
//! No answer may fail, and each was decided by one policy from its start to its
//! end: the one whose generation it names.

use std::{collections::BTreeMap, process::Command, sync::Arc};

use ollama_router::{
    policy,
    sandbox::reply::{Reply as Upstream, step::Gate},
};
use tokio::task::JoinSet;

use crate::{
    guests::{BY_EMBEDDED, BY_GUEST, Guest, MODELS, SOUND},
    support::{
        Host, POLICY, Reply, Setup,
        ask::{FORMS, Form, Told},
    },
};

const ANSWERS: usize = 500;
const SWAPS: usize = 20;

/// Files that an answer keeps open in this process: its connection to the
/// router and the router's upstream, both ends of each.
const FILES_EACH: usize = 4;

/// Files for all else, such as other tests of this process.
const FILES_ELSE: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn no_streamed_answer_fails_or_mixes_policies_while_they_are_swapped() {
    let sources = Guest::sound().component();
    let setup = Setup::new().models(&MODELS).policy(policy::EMBEDDED).set("failover.idle_timeout", "30s");
    let host = Arc::new(setup.set("failover.first_token_timeout", "30s").start().await);
    let mut policies = BTreeMap::from([(1, Policy::EMBEDDED)]);
    let (mut answers, mut swaps) = (0, 0);
    // All at once, but in rounds where the system allows few open files.
    let at_once = open_files().saturating_sub(FILES_ELSE).div_euclid(FILES_EACH).clamp(20, ANSWERS);
    while answers < ANSWERS {
        let count = at_once.min(ANSWERS - answers);
        let swaps_in_round = (SWAPS * count).div_ceil(ANSWERS);
        let replies = round(&host, count, swaps_in_round, &sources, &mut policies).await;
        let mut decided: Vec<u64> = replies.iter().map(|(form, reply)| check(*form, reply, &policies)).collect();
        decided.sort_unstable();
        decided.dedup();
        assert!(decided.len() > swaps_in_round / 2, "all were decided by {decided:?}");
        (answers, swaps) = (answers + count, swaps + swaps_in_round);
    }
    assert!(swaps >= SWAPS);
}

/// A policy as an answer shows it.
#[derive(Clone, Copy)]
struct Policy {
    name: &'static str,
    first: &'static str,
}

impl Policy {
    const EMBEDDED: Self = Self { name: "free-mode/0.1.0", first: BY_EMBEDDED };
    const GUEST: Self = Self { name: SOUND, first: BY_GUEST };
}

/// Begins answers, some before each swap, holds them until the last swap is
/// over, and returns them. Notes which policy each new generation has.
async fn round(
    host: &Arc<Host>,
    answers: usize,
    swaps: usize,
    guest: &[u8],
    policies: &mut BTreeMap<u64, Policy>,
) -> Vec<(Form, Reply)> {
    let gate = Gate::new();
    for model in MODELS {
        host.sandbox.always(model, Upstream::text(&format!("Hello from {model}.")).gate_rest(&gate));
    }
    let mut form = FORMS.into_iter().filter(|form| form.streaming).cycle();
    let mut asked = JoinSet::new();
    for number in 0..swaps {
        for _ in 0..answers * (number + 1) / swaps - answers * number / swaps {
            let (host, form) = (Arc::clone(host), form.next().unwrap());
            asked.spawn(async move { (form, host.ask(form, "auto").await) });
        }
        let before = host.current().generation();
        let (file, next) = match &*before.chain.policies()[0].name {
            "free-mode" => (guest, Policy::GUEST),
            _ => (policy::EMBEDDED, Policy::EMBEDDED),
        };
        host.write(POLICY, file);
        let (status, report) = host.reload().await;
        assert_eq!((status, report["refused"].is_null()), (200, true), "{report}");
        policies.insert(host.generation(|number| number > before.number).await, next);
    }
    gate.open();
    asked.join_all().await
}

/// Checks an answer, and returns the generation by which it was decided.
fn check(form: Form, reply: &Reply, policies: &BTreeMap<u64, Policy>) -> u64 {
    let header = reply.header("x-router-policy").unwrap_or_else(|| panic!("{reply:?}"));
    let (name, generation) = header.split_once("; generation=").unwrap();
    let generation = generation.parse().unwrap();
    let policy = policies.get(&generation).unwrap_or_else(|| panic!("generation {generation} was never in force"));
    assert_eq!(name, policy.name, "{generation}");
    assert_eq!(Told::by(reply), Told::hello(policy.first, 1, None), "{generation} {form:?}");
    assert!(form.is_finished(reply), "{reply:?}");
    generation
}

/// Returns how many files this process may have open.
fn open_files() -> usize {
    let output = Command::new("sh").args(["-c", "ulimit -n"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if text == "unlimited" { usize::MAX } else { text.parse().unwrap_or(256) }
}
