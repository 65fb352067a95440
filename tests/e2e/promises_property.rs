//! The promises, over sequences of outcomes that nobody chose.
//!
//! Each case is a router and some requests one after the other. For every
//! request each model is given a reply by chance, and the client its form, the
//! model it names, and whether it leaves in the middle. What must hold then is
//! worked out by a model of its own (`promises_property/expected.rs`) from what
//! each reply is by nature and from which models were called, and knows nothing
//! of kinds, policies and ledgers. Held are: a failure is never shown that a
//! ready model would have made good; a broken answer is never finished; nothing
//! is called or sent that could cost; nobody rests for what is not its fault.

mod expected;

use std::collections::BTreeMap;

use ollama_router::{
    clock::now_ms,
    sandbox::{
        record::Outcome,
        reply::{Reply as Upstream, step::Gate},
        scenario::Scenario,
    },
};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};
use serde_json::{Value, json};

use self::expected::{Nature, World};
use crate::support::{
    self, Host, PATIENCE, Setup,
    ask::{FORMS, Form},
    models::{catalog, entry, paid},
};

/// The models, the largest first.
const MODELS: [&str; 4] = ["acme/a:free", "acme/b:free", "acme/c:free", "acme/d:free"];

/// A model that costs, and would be the first choice of all.
const DEAR: &str = "acme/dear";

/// Cases; each starts a router, which is what takes the time.
const CASES: u32 = 16;

/// Requests of a case, at most.
const REQUESTS: usize = 12;

/// One request of a client.
#[derive(Debug, Clone)]
struct Asked {
    form: Form,
    /// The model it names; `auto` beyond the last.
    named: usize,
    /// What each model would answer.
    natures: [Nature; MODELS.len()],
    /// Whether the client goes away after the first words.
    leaves: bool,
    /// Whether it tries to widen what may be spent.
    tempts: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    // Sound answers are as frequent as all the rest, so that chains have ends of every sort.
    let nature =
        || prop_oneof![9 => Just(Nature::Sound), 8 => select(&Nature::OF_MODELS[..]), 2 => select(&Nature::OTHERS[..])];
    let natures = [nature(), nature(), nature(), nature()];
    let client = (select(FORMS.to_vec()), 0..=MODELS.len(), prop::bool::weighted(0.2), any::<bool>());
    (client, natures).prop_map(|((form, named, leaves, tempts), natures)| {
        let leaves = leaves && form.streaming;
        Asked { form, named, natures, leaves, tempts }
    })
}

proptest! {
    #![proptest_config(Config { cases: CASES, failure_persistence: None, max_shrink_iters: 64, ..Config::default() })]

    #[test]
    fn the_promises_hold_whatever_the_upstream_does(requests in vec(asked(), 1..=REQUESTS)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(play(&requests))?;
    }
}

async fn play(requests: &[Asked]) -> Result<(), TestCaseError> {
    let sizes = [200_000, 150_000, 100_000, 50_000];
    let free = MODELS.iter().zip(sizes).map(|(id, size)| entry(id, size));
    let list = catalog(free.chain([paid(DEAR, 900_000)]));
    let setup = Setup::new().scenario(Scenario::quiet().catalog(list));
    let setup = setup.set("failover.first_token_timeout", "15s").set("failover.idle_timeout", "15s");
    // Shorter than any wait for a limit of the account's, so that none is sat out.
    let host = setup.set("failover.deadline", "30s").start().await;
    let mut world = World::default();
    for asked in requests {
        request(&host, asked, &mut world).await?;
        let standings = standings(&host).await;
        for (number, id) in MODELS.iter().enumerate() {
            let resting = standings[*id] == "cooling";
            prop_assert_eq!(resting, world.rests(number), "promise 6: {} after {:?}", id, asked);
        }
    }
    for sent in host.sandbox.requests().iter().filter(|request| request.path == "/chat/completions") {
        let model = sent.model.as_deref().unwrap_or_default();
        prop_assert!(MODELS.contains(&model), "promise 3: {} was called", model);
        let zero = json!({"prompt": 0, "completion": 0});
        prop_assert_eq!(&sent.body["provider"]["max_price"], &zero, "promise 3: {}", &sent.body);
        prop_assert!(sent.body.get("models").is_none(), "promise 3: {}", &sent.body);
    }
    host.stop().await;
    Ok(())
}

/// Makes one request, and holds what comes of it against the world.
async fn request(host: &Host, asked: &Asked, world: &mut World) -> Result<(), TestCaseError> {
    let gate = Gate::new();
    for (id, nature) in MODELS.iter().zip(asked.natures) {
        host.sandbox.clear(id);
        host.sandbox.always(id, reply(nature, id, asked.leaves.then_some(&gate)));
    }
    let before = host.called().len();
    let named = MODELS.get(asked.named).copied().unwrap_or("auto");
    let mut body = asked.form.body(named, "Hello");
    if asked.tempts && !asked.form.is_ollama() {
        body["provider"] = json!({"max_price": {"prompt": 9, "completion": 9}});
        body["models"] = json!([DEAR]);
    }
    let answer = host.send(asked.form.path, body.to_string()).await;
    let calls = |host: &Host| -> Vec<usize> {
        let called = host.called().split_off(before);
        called.iter().map(|id| MODELS.iter().position(|known| known == id).unwrap_or(usize::MAX)).collect()
    };
    if asked.leaves && answer.status() == 200 {
        leave(host, answer).await;
        let calls = calls(host);
        prop_assert!(world.left(&calls, asked.natures).is_ok(), "{:?} {:?}", calls, asked);
        return Ok(());
    }
    let answer = support::Reply::read(answer).await;
    let calls = calls(host);
    let expected = world.answered(&calls, asked.natures, asked.form.streaming);
    let expected = expected.map_err(|wrong| TestCaseError::fail(format!("{wrong}: {calls:?} {asked:?} {answer:?}")))?;
    let model = expected.model().map(|number| MODELS[number]);
    prop_assert_eq!(answer.header("x-router-model"), model, "promise 1: {:?} {:?}", asked, &answer);
    match expected {
        expected::Seen::Whole(number) => {
            prop_assert_eq!((answer.status, answer.complete), (200, true), "promise 1: {:?}", &answer);
            prop_assert!(asked.form.is_finished(&answer), "promise 1: {:?}", &answer);
            prop_assert_eq!(answer.content(), format!("One two from {}", MODELS[number]));
        }
        expected::Seen::Broken(_) => {
            prop_assert_eq!((answer.status, answer.complete), (200, false), "promise 2: {:?}", &answer);
            prop_assert!(asked.form.late_error(&answer).is_some(), "promise 2: {:?}", &answer);
            let ends = (asked.form.endings(&answer), answer.text.contains("[DONE]"));
            prop_assert_eq!(ends, (0, false), "promise 2: {:?}", &answer);
        }
        expected::Seen::Error => {
            prop_assert!(answer.status >= 400 && answer.complete, "promise 1: {:?} {:?}", asked, &answer);
            prop_assert!(!asked.form.error(&answer).is_empty());
        }
    }
    Ok(())
}

/// Reads the first words, goes away, and waits until everybody knows.
async fn leave(host: &Host, mut answer: reqwest::Response) {
    tokio::time::timeout(PATIENCE, answer.chunk()).await.expect("no first words").unwrap();
    drop(answer);
    host.sandbox.wait_until(|view| view.requests.iter().all(|request| request.outcome != Outcome::Open)).await;
    for id in MODELS {
        host.state_until(id, |state| state["in_flight"] == 0).await;
    }
}

async fn standings(host: &Host) -> BTreeMap<String, String> {
    let rows = host.get("/router/models").await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(|row| (text(&row["id"]), text(&row["state"]["standing"]))).collect()
}

/// A reply of this nature. With a gate, answers stop after their first words
/// until it opens, which is never.
fn reply(nature: Nature, id: &str, gate: Option<&Gate>) -> Upstream {
    let words = ["One ", "two ", "from ", id];
    let begun = || Upstream::chunks(["One ", "two"]);
    let later = now_ms() + 3_600_000;
    let reply = match nature {
        Nature::Sound => Upstream::chunks(words),
        Nature::Fails(way) => match way % 10 {
            0 => Upstream::overloaded(),
            1 => Upstream::upstream_limit(),
            2 => Upstream::html(502),
            3 => Upstream::harness_gate(),
            4 => Upstream::model_gone(),
            5 => Upstream::guardrails(),
            6 => Upstream::error_event(502, "lost"),
            7 => Upstream::chunks([""]).then_malformed(),
            8 => Upstream::chunks([]).then_cut(),
            _ => Upstream::empty(),
        },
        Nature::Breaks(way) => match way % 4 {
            0 => begun().then_cut(),
            1 => begun().then_error(502, "lost"),
            2 => begun().without_finish(),
            _ => begun().then_malformed(),
        },
        Nature::Unfit(way) => {
            if way % 2 == 0 {
                Upstream::no_tool_use("f")
            } else {
                Upstream::reasoning_mandatory()
            }
        }
        Nature::TooLong => Upstream::context_exceeded(4_096, 9_000),
        Nature::PerhapsRequest => Upstream::provider_error(400, "odd roles"),
        Nature::Request(way) => {
            if way % 2 == 0 {
                Upstream::moderated()
            } else {
                Upstream::unprocessable()
            }
        }
        Nature::Key(way) => {
            if way % 2 == 0 {
                Upstream::user_not_found()
            } else {
                Upstream::insufficient_credits()
            }
        }
        Nature::Account(way) => {
            if way % 2 == 0 {
                Upstream::daily_limit(50, later)
            } else {
                Upstream::minute_limit(later)
            }
        }
    };
    match gate {
        Some(gate) if matches!(nature, Nature::Sound | Nature::Breaks(_)) => reply.gate_rest(gate),
        _ => reply,
    }
}
