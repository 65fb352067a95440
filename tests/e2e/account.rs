//! What the account may send: its free requests of the day and of the minute, and
//! the keys that it is asked with.
//!
//! Nothing is sent that is known to be refused. What a limit leads to for models is
//! in `cooldown`: nothing. The pace itself is tested beside `failover::pacer`.

use futures_util::future::join_all;
use ollama_router::{
    clock::now_ms,
    sandbox::{reply::Reply, scenario::Scenario},
};
use serde_json::{Value, json};

use crate::support::{
    self, Host, Setup,
    ask::{FORMS, Form, Told},
    models::{catalog, embedder, free},
};

const A: &str = "acme/a:free";
const B: &str = "acme/b:free";
const C: &str = "acme/c:free";

const CHAT: Form = Form { path: "/api/chat", streaming: false };

const FIRST_KEY: &str = "sk-or-v1-first-0123456789-aaaa";
const SECOND_KEY: &str = "sk-or-v1-second-0123456789-bbbb";

/// What the upstream says of a key whose account has `remaining` of 50 left.
fn left(remaining: u32) -> Reply {
    let daily = json!({"limit": 50, "remaining": remaining, "used": 50 - remaining});
    Reply::json(200, json!({"data": {"label": "x", "free_model_daily_requests": daily}}))
}

/// Starts a router before an upstream that says this of the key.
async fn start(setup: Setup, key: Reply) -> Host {
    let host = setup.models(&[A, B, C]).start().await;
    host.sandbox.always("/key", key);
    host.restart().await
}

async fn knows_what_is_left(host: &Host, remaining: u32) {
    host.status_until(|status| status["account"]["remaining"] == remaining).await;
}

async fn burst(host: &Host, count: usize) -> Vec<support::Reply> {
    join_all((0..count).map(|number| host.ask(FORMS[number % FORMS.len()], "auto"))).await
}

fn wait_s(answer: &support::Reply) -> u64 {
    answer.header("retry-after").unwrap_or_else(|| panic!("{}", answer.text)).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_on_a_day_that_is_used_up_makes_no_call() {
    let host = start(Setup::new(), left(0)).await;
    knows_what_is_left(&host, 0).await;
    for answer in burst(&host, 100).await {
        assert_eq!(answer.status, 429, "{}", answer.text);
        assert!((1..=24 * 3600).contains(&wait_s(&answer)));
        assert!(answer.text.contains("free requests of today are used up"), "{}", answer.text);
    }
    assert_eq!(host.called(), Vec::<String>::new());
    let account = host.status().await["account"].take();
    let told = ["limit", "daily_requests", "remaining"].map(|field| account[field].clone());
    assert_eq!(told, [json!("rate-limited-day"), json!(50), json!(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_on_a_day_of_which_nothing_is_known_makes_one_call_if_it_is_used_up() {
    for limit in [Reply::daily_limit(50, now_ms() + 3_600_000), Reply::daily_limit_bare(), Reply::daily_limit_in_raw()]
    {
        let host = start(Setup::new(), Reply::error(404, "Not Found")).await;
        host.sandbox.always("*", limit);
        for answer in burst(&host, 100).await {
            assert_eq!(answer.status, 429, "{}", answer.text);
            assert!(answer.header("retry-after").is_some(), "{}", answer.text);
        }
        assert_eq!(host.called().len(), 1);
        assert!(burst(&host, 10).await.iter().all(|answer| answer.status == 429));
        assert_eq!(host.called().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_on_a_day_of_which_nothing_is_known_is_answered_if_it_is_open() {
    let host = start(Setup::new(), Reply::json(200, json!({"data": {"label": "x"}}))).await;
    assert!(burst(&host, 30).await.iter().all(|answer| answer.status == 200));
    assert_eq!(host.status().await["account"]["remaining"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_calls_count_and_no_more_are_made_than_are_left() {
    let host = start(Setup::new(), left(2)).await;
    knows_what_is_left(&host, 2).await;
    host.sandbox.always("*", Reply::overloaded());
    let answer = host.ask(CHAT, "auto").await;
    assert_eq!((answer.status, answer.header("x-router-attempts")), (503, Some("2")), "{}", answer.text);
    let answer = host.ask(CHAT, "auto").await;
    assert_eq!(answer.status, 429, "{}", answer.text);
    assert!(wait_s(&answer) >= 1);
    assert_eq!(host.called(), [A, B]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_day_ends_when_openrouter_says_that_requests_are_left() {
    let host = start(Setup::new(), left(40)).await;
    knows_what_is_left(&host, 40).await;
    host.sandbox.script("*", [Reply::daily_limit(50, now_ms() + 3_600_000)]);
    assert_eq!(host.ask(CHAT, "auto").await.status, 429);
    assert_eq!(host.ask(CHAT, "auto").await.status, 429);
    assert_eq!(host.called(), [A]);
    // What it says within the next minute may be older than the limit; after a
    // restart it is known to be younger.
    let host = host.restart().await;
    host.status_until(|status| status["account"]["limit"] == Value::Null).await;
    assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(A, 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_limit_of_the_minute_a_burst_is_answered_or_told_when_to_come_back() {
    let setup = Setup::new().set("failover.requests_per_minute", "20").set("failover.deadline", "15s");
    let host = start(setup, left(50)).await;
    knows_what_is_left(&host, 50).await;
    let answers = burst(&host, 40).await;
    let (good, late): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((good.len(), late.len(), host.called().len()), (20, 20, 20));
    for answer in late {
        assert_eq!(answer.status, 429, "{}", answer.text);
        assert!((40..=60).contains(&wait_s(answer)), "{}", wait_s(answer));
    }
}

/// Starts a router with two keys.
async fn with_two_keys() -> Host {
    let setup = Setup::new().set("openrouter.api_key", FIRST_KEY).set("openrouter.api_keys", SECOND_KEY);
    let host = start(setup.set("failover.deadline", "15s"), left(50)).await;
    knows_what_is_left(&host, 50).await;
    host
}

/// Returns the keys of the chat requests, in order.
fn keys_sent(host: &Host) -> Vec<String> {
    let chats = host.sandbox.requests().into_iter().filter(|request| request.path == "/chat/completions");
    chats.map(|request| request.headers["authorization"].trim_start_matches("Bearer ").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_gives_way_to_the_next_and_the_model_is_innocent() {
    let refusals = [
        (Reply::user_not_found(), "key-rejected"),
        (Reply::insufficient_credits(), "key-exhausted"),
        (Reply::key_limit(), "key-exhausted"),
    ];
    for (refusal, kind) in refusals {
        for form in FORMS {
            let host = with_two_keys().await;
            host.sandbox.script(A, [refusal.clone()]);
            let trail = format!("{A}={kind}");
            assert_eq!(Told::by(&host.ask(form, "auto").await), Told::hello(A, 2, Some(&trail)), "{form:?}");
            assert_eq!(Told::by(&host.ask(form, "auto").await), Told::hello(A, 1, None), "{form:?}");
            assert_eq!(keys_sent(&host), [FIRST_KEY, SECOND_KEY, SECOND_KEY]);
            assert_eq!(host.standing(A).await.0, "ready");
            let account = host.status().await["account"].take();
            assert_eq!((&account["keys"], &account["keys_usable"]), (&json!(2), &json!(1)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_every_key_is_refused_the_client_is_told_which_and_what_to_do() {
    for form in FORMS {
        let host = with_two_keys().await;
        host.sandbox.script("*", [Reply::user_not_found(), Reply::key_limit()]);
        let answer = host.ask(form, "auto").await;
        let told = form.error(&answer);
        assert_eq!((answer.status, host.called().len()), (402, 2), "{told}");
        for words in ["key 1 (…aaaa): User not found.", "key 2 (…bbbb): Key limit exceeded", "check openrouter.api_key"]
        {
            assert!(told.contains(words), "{words} is not in: {told}");
        }
        assert!(!answer.text.contains(FIRST_KEY) && !answer.text.contains(SECOND_KEY), "{}", answer.text);
        // The one due first is tried after all, and once it is good, all is well.
        assert_eq!(Told::by(&host.ask(form, "auto").await), Told::hello(A, 1, None), "{form:?}");
        assert_eq!(keys_sent(&host).last().unwrap(), SECOND_KEY);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn further_keys_are_not_tried_against_a_limit_of_the_account() {
    for limit in [Reply::daily_limit(50, now_ms() + 3_600_000), Reply::minute_limit(now_ms() + 3_000_000)] {
        let host = with_two_keys().await;
        host.sandbox.always("*", limit);
        assert_eq!(host.ask(CHAT, "auto").await.status, 429);
        assert_eq!(keys_sent(&host), [FIRST_KEY]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_openrouter_does_not_know_is_found_out_at_the_start() {
    let setup = Setup::new().set("openrouter.api_key", "sk-or-bad").set("openrouter.api_keys", SECOND_KEY);
    let host = setup.models(&[A]).start().await;
    host.status_until(|status| status["account"]["keys_usable"] == 1).await;
    assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(A, 1, None));
    assert_eq!(keys_sent(&host), [SECOND_KEY]);
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_are_made_with_the_next_key_and_within_the_day_too() {
    let embedders = catalog([embedder("acme/vector-embed:free", 8_192)]);
    let setup = Setup::new().scenario(Scenario::quiet().catalog(free(&[A])).embeddings(embedders));
    let host = setup.set("openrouter.api_key", FIRST_KEY).set("openrouter.api_keys", SECOND_KEY).start().await;
    host.sandbox.always("/key", left(1));
    let host = host.restart().await;
    knows_what_is_left(&host, 1).await;
    host.sandbox.script("acme/vector-embed:free", [Reply::user_not_found()]);
    let body = json!({"model": "vector-embed:free", "input": "Hello"});
    let answer = host.post("/api/embed", &body).await;
    assert_eq!((answer.status, answer.header("x-router-attempts")), (200, Some("2")), "{}", answer.text);
    let answer = host.post("/api/embed", &body).await;
    assert_eq!(answer.status, 429, "{}", answer.text);
    let keys = host.sandbox.requests().into_iter().filter(|request| request.path == "/embeddings");
    let keys: Vec<String> = keys.map(|request| request.headers["authorization"].clone()).collect();
    assert_eq!(keys, [format!("Bearer {FIRST_KEY}"), format!("Bearer {SECOND_KEY}")]);
}
