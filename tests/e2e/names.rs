//! Which model a name means, and what becomes of names that no model has.
//!
//! Every form of a name, in every protocol; names of models that are gone;
//! modes; and that a free router never spends, whatever it is told. How models
//! are listed is in `models`.

use ollama_router::sandbox::{reply::Reply, scenario::Scenario};
use serde_json::json;

use crate::support::{
    Host, Setup,
    ask::{FORMS, Form, Told},
    models::{catalog, entry, free, paid},
};

const LARGE: &str = "acme/large:free";
const SMALL: &str = "Acme/Small-1.5:free";

const CHAT: Form = Form { path: "/api/chat", streaming: false };

/// Two vendors with one short name, a name without a tag, a paid model.
async fn start(setup: Setup) -> Host {
    let models = [
        entry(LARGE, 200_000),
        entry(SMALL, 100_000),
        entry("one/twin:free", 50_000),
        entry("two/twin:free", 40_000),
        entry("stealth/umber-alpha", 30_000),
        paid("acme/dear", 1_000_000),
    ];
    setup.scenario(Scenario::quiet().catalog(catalog(models))).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_understood_in_every_form() {
    let host = start(Setup::new()).await;
    let rows = [
        ("auto", LARGE),
        ("auto:latest", LARGE),
        ("AUTO", LARGE),
        ("Acme/Small-1.5:free", SMALL),
        ("small-1.5:free", SMALL),
        ("SMALL-1.5:FREE", SMALL),
        ("acme/small-1.5:free:latest", SMALL),
        (" small-1.5:free ", SMALL),
        ("two/twin:free", "two/twin:free"),
        ("umber-alpha", "stealth/umber-alpha"),
        ("umber-alpha:latest", "stealth/umber-alpha"),
        ("Stealth/Umber-Alpha:latest", "stealth/umber-alpha"),
    ];
    for (name, id) in rows {
        for form in FORMS {
            let answer = host.ask(form, name).await;
            assert_eq!(Told::by(&answer), Told::hello(id, 1, None), "{form:?} {name:?}");
            if form.is_ollama() {
                assert_eq!(answer.lines()[0]["model"], name, "Ollama repeats the name as it was asked for");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_name_is_400_and_lists_the_choices() {
    let host = start(Setup::new()).await;
    for name in ["twin:free", "TWIN:free:latest"] {
        for form in FORMS {
            let answer = host.ask(form, name).await;
            let expected = format!("model '{name}' is ambiguous: one/twin:free, two/twin:free");
            assert_eq!((answer.status, form.error(&answer)), (400, expected), "{form:?}");
        }
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_model_that_is_gone_counts_as_failed_and_others_answer() {
    let host = start(Setup::new()).await;
    for name in ["deepseek-chat-v3-0324:free", "deepseek/deepseek-chat-v3-0324:free"] {
        for form in FORMS {
            let answer = host.ask(form, name).await;
            let trail = format!("{name}=gone");
            assert_eq!(Told::by(&answer), Told::hello(LARGE, 1, Some(&trail)), "{form:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gone_name_does_not_hide_why_the_others_failed() {
    let host = start(Setup::new()).await;
    host.sandbox.always("*", Reply::upstream_limit());
    let answer = host.ask(CHAT, "gone-model:free").await;
    assert_eq!(answer.status, 429, "{}", answer.text);
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_is_404_in_the_protocols_words() {
    let host = start(Setup::new()).await;
    for name in ["llama3.2", "acme/nothing", "twin"] {
        for form in FORMS {
            let answer = host.ask(form, name).await;
            assert_eq!((answer.status, form.error(&answer)), (404, format!("model '{name}' not found")), "{form:?}");
            if !form.is_ollama() {
                assert_eq!(answer.json()["error"]["type"], "not_found_error");
            }
        }
    }
    for name in [":free", "no spaces", "a/b/c/d", "-dash"] {
        for form in FORMS {
            let answer = host.ask(form, name).await;
            assert_eq!((answer.status, form.error(&answer)), (400, "invalid model name".to_owned()), "{form:?} {name}");
        }
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_says_what_an_unknown_name_means() {
    let rows = [
        ("auto", "gpt-4o", Some(LARGE)),
        ("auto", "gone:free", Some(LARGE)),
        ("reject", "gpt-4o", None),
        ("reject", "gone:free", None),
        ("gone", "gpt-4o", None),
        ("gone", "gone:free", Some(LARGE)),
    ];
    for (mode, name, expected) in rows {
        let host = start(Setup::new().set("mode.unknown_model", mode)).await;
        for form in FORMS {
            let answer = host.ask(form, name).await;
            let status = if expected.is_some() { 200 } else { 404 };
            let told = (answer.status, answer.header("x-router-model"));
            assert_eq!(told, (status, expected), "{mode} {name} {form:?}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_model_is_unknown_in_free_mode_and_alone_without() {
    let host = start(Setup::new()).await;
    for form in FORMS {
        let answer = host.ask(form, "acme/dear").await;
        assert_eq!(answer.status, 404, "{form:?}: {}", answer.text);
    }
    let host = start(Setup::new().set("mode.free_mode", "false")).await;
    assert_eq!(Told::by(&host.ask(CHAT, "dear").await), Told::hello("acme/dear", 1, None));
    assert_eq!(host.last_sent().get("provider"), None, "nobody caps a price that may be paid");
    host.sandbox.script("acme/dear", [Reply::overloaded()]);
    let answer = host.ask(CHAT, "dear").await;
    assert_eq!(answer.header("x-router-attempts"), Some("1"), "no other model changes the bill: {}", answer.text);
    assert_eq!(answer.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_free_limit_of_the_day_does_not_stop_a_paid_model() {
    let host = start(Setup::new().set("mode.free_mode", "false")).await;
    let reset_ms = ollama_router::clock::now_ms() + 3_600_000;
    host.sandbox.script(LARGE, [Reply::daily_limit(50, reset_ms)]);
    assert_eq!(host.ask(CHAT, "large:free").await.status, 429);
    assert_eq!(Told::by(&host.ask(CHAT, "dear").await), Told::hello("acme/dear", 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn free_mode_caps_every_price_at_zero_whatever_the_client_sends() {
    let host = start(Setup::new()).await;
    let zero = json!({"prompt": 0, "completion": 0});
    for form in FORMS {
        let mut body = form.body("auto", "Hello");
        body["provider"] = json!({"max_price": {"prompt": 9, "completion": 9}, "sort": "price"});
        let answer = host.post(form.path, &body).await;
        assert_eq!(answer.status, 200, "{form:?}: {}", answer.text);
        let sent = host.last_sent();
        assert_eq!(sent["provider"]["max_price"], zero, "{form:?}");
        assert_eq!((&sent["models"], &sent["route"]), (&json!(null), &json!(null)), "{form:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_money_is_refused_in_free_mode_in_words() {
    let host = start(Setup::new()).await;
    let form = Form { path: "/v1/chat/completions", streaming: false };
    for (field, value) in [
        ("plugins", json!([{"id": "web"}])),
        ("tools", json!([{"type": "openrouter:web_search"}])),
        ("web_search_options", json!({})),
    ] {
        let mut body = form.body("auto", "Hello");
        body[field] = value;
        let answer = host.post(form.path, &body).await;
        let told = form.error(&answer);
        assert_eq!(answer.status, 400, "{told}");
        assert!(told.starts_with(&format!("cannot use `{field}`: ")) && told.contains("costs money"), "{told}");
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_became_paid_since_the_refresh_is_left_unpaid() {
    let host = start(Setup::new()).await;
    // The router still believes that it is free; the upstream does not.
    let models = [paid(LARGE, 200_000), entry(SMALL, 100_000)];
    host.sandbox.set_catalog(catalog(models));
    for form in FORMS {
        let answer = host.ask(form, "auto").await;
        assert_eq!(answer.header("x-router-model"), Some(SMALL), "{form:?}: {}", answer.text);
    }
    assert_eq!(host.standing(LARGE).await, ("cooling".to_owned(), Some("gone".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_left_the_catalogue_still_has_a_meaning() {
    let host = start(Setup::new()).await;
    host.sandbox.set_catalog(free(&[LARGE, SMALL]));
    let host = host.restart_stale().await;
    host.generation(|number| number > 1).await;
    for name in ["umber-alpha", "stealth/umber-alpha:latest"] {
        let answer = host.ask(CHAT, name).await;
        let trail = format!("{name}=gone");
        assert_eq!(Told::by(&answer), Told::hello(LARGE, 1, Some(&trail)), "{name}");
    }
}
