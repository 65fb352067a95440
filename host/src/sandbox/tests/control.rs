//! What a test can hold back, see and wait for.
//!
//! Gates, scripts, the record of requests, clients that leave, the end of the
//! sandbox. None of these tests measures or waits for time.

use serde_json::{Value, json};

use super::{Connection, MODEL, asking, chat, get, open_chat, quiet};
use crate::sandbox::Sandbox;
use crate::sandbox::record::Outcome;
use crate::sandbox::reply::Reply;
use crate::sandbox::reply::step::{Gate, Step};
use crate::sandbox::scenario::Scenario;

#[tokio::test(flavor = "multi_thread")]
async fn gates_hold_headers_the_first_event_and_the_rest() {
    let (headers, first, rest) = (Gate::new(), Gate::new(), Gate::new());
    let sandbox = quiet().await;
    let reply = Reply::chunks(["one", "two"]).comments(1);
    let reply = reply.headers_after(&headers).gate_first(&first).gate_rest(&rest);
    sandbox.script(MODEL, [reply]);
    let mut connection = open_chat(&sandbox, &asking(MODEL, true));
    sandbox.wait_until(|view| view.open_streams() == 1).await;
    headers.open();
    connection.read_headers();
    connection.read_until(": OPENROUTER PROCESSING");
    first.open();
    connection.read_until("one");
    assert!(!connection.answer.body.contains("two"));
    rest.open();
    assert_eq!(connection.finish().content(), "onetwo");
    sandbox.wait_until(|view| view.requests[0].outcome == Outcome::Finished).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_seen_at_every_stage() {
    let Step::Data(token) = Step::text("x") else {
        panic!("a text step is a data event");
    };
    let replies = [
        Reply::silent(),
        Reply::stream([Step::Comment, Step::Hang]),
        Reply::text("partial").then_hang(),
        Reply::stream([Step::Endless(token)]),
    ];
    for reply in replies {
        let sandbox = quiet().await;
        sandbox.script(MODEL, [reply]);
        let connection = open_chat(&sandbox, &asking(MODEL, true));
        sandbox.wait_until(|view| view.open_streams() == 1).await;
        drop(connection);
        sandbox.wait_until(|view| view.requests[0].outcome == Outcome::ClientGone).await;
        assert_eq!(sandbox.open_streams(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_breaks_off_open_answers_and_closes_the_port() {
    let sandbox = quiet().await;
    let address = sandbox.address;
    sandbox.always("*", Reply::text("partial").then_hang());
    let mut connection = open_chat(&sandbox, &asking(MODEL, true));
    connection.read_headers();
    connection.read_until("partial");
    sandbox.stop().await;
    assert!(!connection.finish().is_complete);
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_answer_in_order_and_then_the_default_again() {
    let sandbox = quiet().await;
    let ask = |model: &str| chat(&sandbox, &asking(model, true)).content();
    sandbox.script(MODEL, [Reply::text("first"), Reply::text("second")]);
    sandbox.script("*", [Reply::text("anyone")]);
    sandbox.always("dovetail/joiner-8b:free", Reply::text("always"));
    let answers = [MODEL, MODEL, MODEL, MODEL].map(ask);
    assert_eq!(answers, ["first", "second", "anyone", "Hello from borealis/skald-70b-instruct:free."]);
    assert_eq!(["dovetail/joiner-8b:free"; 2].map(ask), ["always", "always"]);
    sandbox.clear("dovetail/joiner-8b:free");
    assert_eq!(ask("dovetail/joiner-8b:free"), "Hello from dovetail/joiner-8b:free.");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_recorded_with_headers_and_body() {
    let sandbox = quiet().await;
    let request = asking(MODEL, false);
    chat(&sandbox, &request);
    get(&sandbox, "/models?output_modalities=all");
    get(&sandbox, "/nowhere");
    sandbox.wait_until(|view| view.requests.len() == 3 && view.open_streams() == 0).await;
    let requests = sandbox.requests();
    let seen: Vec<_> =
        requests.iter().map(|request| (request.number, request.path.as_str(), request.query.as_str())).collect();
    let expected = [(0, "/chat/completions", ""), (1, "/models", "output_modalities=all"), (2, "/nowhere", "")];
    assert_eq!(seen, expected);
    assert_eq!((&requests[0].body, requests[0].model.as_deref()), (&request, Some(MODEL)));
    assert_eq!(requests[0].headers["authorization"], "Bearer sk-or-test");
    assert_eq!((&requests[1].body, &requests[1].model), (&Value::Null, &None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_can_be_replaced_broken_and_restored() {
    let sandbox = quiet().await;
    let model = json!({"id": "a/b:free", "pricing": {"prompt": "0", "completion": "0"}});
    let catalog = json!({"data": [model]});
    sandbox.set_catalog(catalog.clone());
    assert_eq!(get(&sandbox, "/models").json(), catalog);
    assert_eq!(chat(&sandbox, &asking("a/b:free", true)).content(), "Hello from a/b:free.");
    sandbox.fail_catalog(&Reply::html(503));
    assert_eq!([get(&sandbox, "/models").status, get(&sandbox, "/models/user").status], [503, 503]);
    sandbox.restore_catalog();
    assert_eq!(get(&sandbox, "/models/user").json(), catalog);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_counts_chat_calls_and_can_be_scripted() {
    let sandbox = quiet().await;
    chat(&sandbox, &asking(MODEL, true));
    chat(&sandbox, &asking("no/such-model", true));
    let daily = &get(&sandbox, "/key").json()["data"]["free_model_daily_requests"];
    assert_eq!(*daily, json!({"limit": 1_000_000, "remaining": 999_998, "used": 2}));
    sandbox.always("/key", Reply::json(200, json!({"data": {}})));
    assert_eq!(get(&sandbox, "/key").json(), json!({"data": {}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_may_have_a_day_and_a_minute_of_few_calls() {
    let sandbox = Sandbox::start(Scenario::quiet().per_day(2)).await.unwrap();
    let statuses: Vec<u16> = (0..3).map(|_| chat(&sandbox, &asking(MODEL, false)).status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    let daily = &get(&sandbox, "/key").json()["data"]["free_model_daily_requests"];
    assert_eq!(*daily, json!({"limit": 2, "remaining": 0, "used": 2}));

    let sandbox = Sandbox::start(Scenario::quiet().per_minute(1)).await.unwrap();
    // A new minute may begin between two calls, but not between each two of four.
    let refused = (0..4).map(|_| chat(&sandbox, &asking(MODEL, false))).find(|answer| answer.status == 429);
    let refused = refused.unwrap().json();
    assert_eq!(refused["error"]["message"], "Rate limit exceeded: free-models-per-min. ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_bad_key_is_refused_before_any_script() {
    let sandbox = quiet().await;
    sandbox.always("*", Reply::text("never"));
    let path = "POST /api/v1/chat/completions HTTP/1.1";
    let cases = [
        (path.to_owned(), "No auth credentials found"),
        (format!("{path}\r\nauthorization: Bearer "), "Missing Authentication header"),
        (format!("{path}\r\nauthorization: Bearer sk-or-bad"), "User not found."),
        ("GET /api/v1/key HTTP/1.1".to_owned(), "No auth credentials found"),
    ];
    for (head, words) in cases {
        let answer = Connection::open(&sandbox, &head, "{}").finish();
        let expected = json!({"error": {"code": 401, "message": words}});
        assert_eq!((answer.status, answer.json()), (401, expected));
    }
    assert_eq!(Connection::open(&sandbox, "GET /api/v1/models HTTP/1.1", "").finish().status, 200);
}
