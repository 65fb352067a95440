//! What a scraper reads of `/metrics`, line by line.

use ollama_router::{clock::now_ms, sandbox::reply::Reply as Upstream};

use crate::support::{Host, Setup, ask::FORMS};

const A: &str = "acme/a:free";
const B: &str = "acme/b:free";

/// Returns the samples whose names begin so, sorted; the text is well formed.
async fn samples(host: &Host, prefixes: &[&str]) -> Vec<String> {
    let reply = host.get("/metrics").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    let mut samples = Vec::new();
    for line in reply.text.lines() {
        let is_sample = line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok());
        assert!(is_sample || line.starts_with("# HELP ") || line.starts_with("# TYPE "), "{line}");
        assert!(
            line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").starts_with("ollama_router_"),
            "{line}"
        );
        let name = line.trim_start_matches("ollama_router_");
        if is_sample && prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            samples.push(name.to_owned());
        }
    }
    samples.sort();
    samples
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_counted_by_route_model_and_kind() {
    let host = Setup::new().models(&[A, B]).start().await;
    host.sandbox.always(A, Upstream::harness_gate());
    for form in FORMS {
        assert_eq!(host.ask(form, "auto").await.status, 200);
    }
    host.post_text("/api/chat", "{").await;
    host.get("/no/such/path").await;
    host.sandbox.script(B, [Upstream::chunks(["One ", "two"]).then_cut()]);
    host.ask(FORMS[0], "auto").await;
    assert_eq!(
        samples(
            &host,
            &["requests", "model_answers", "model_failures", "first_token_seconds_count", "model_in_flight"]
        )
        .await,
        [
            "first_token_seconds_count 13",
            "model_answers_total{model=\"acme/a:free\"} 0",
            "model_answers_total{model=\"acme/b:free\"} 12",
            "model_failures_total{model=\"acme/a:free\",kind=\"gated\"} 1",
            "model_failures_total{model=\"acme/b:free\",kind=\"interrupted\"} 1",
            "model_in_flight{model=\"acme/a:free\"} 0",
            "model_in_flight{model=\"acme/b:free\"} 0",
            "requests_total{route=\"/api/chat\",status=\"200\"} 3",
            "requests_total{route=\"/api/chat\",status=\"400\"} 1",
            "requests_total{route=\"/api/generate\",status=\"200\"} 2",
            "requests_total{route=\"/v1/chat/completions\",status=\"200\"} 2",
            "requests_total{route=\"/v1/completions\",status=\"200\"} 2",
            "requests_total{route=\"/v1/messages\",status=\"200\"} 2",
            "requests_total{route=\"/v1/responses\",status=\"200\"} 2",
            "requests_total{route=\"other\",status=\"404\"} 1",
        ]
    );
    assert_eq!(samples(&host, &["requests_total{route=\"/metrics\""]).await.len(), 1, "it counts itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_models_account_policy_and_build_is_shown() {
    let host = Setup::new().models(&[A, B]).start().await;
    host.sandbox.always(A, Upstream::harness_gate());
    host.sandbox.script(B, [Upstream::text("One two"), Upstream::daily_limit(50, now_ms() + 3_600_000)]);
    for _ in 0..2 {
        host.ask(FORMS[0], "auto").await;
    }
    let value = async |name: &str| -> f64 {
        let samples = samples(&host, &[name]).await;
        assert_eq!(samples.len(), 1, "{name}: {samples:?}");
        samples[0].rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let day = value("model_cooldown_seconds{model=\"acme/a:free\"}").await;
    assert!((86_000.0..=86_400.0).contains(&day), "{day}");
    assert!(value("model_cooldown_seconds{model=\"acme/b:free\"}").await.abs() < f64::EPSILON);
    let blocked = value("account_blocked_seconds{limit=\"rate-limited-day\"}").await;
    assert!((3_500.0..=3_600.0).contains(&blocked), "{blocked}");
    assert!(value("model_first_token_seconds{model=\"acme/b:free\"}").await > 0.0);
    assert!(value("uptime_seconds").await > 0.0);
    assert!(value("catalog_fetched_seconds").await > 1.7e9);
    assert!(value("policy_decisions_total{policy=\"free-mode\"").await >= 2.0);
    assert_eq!(samples(&host, &["keys"]).await, ["keys 1", "keys_usable 1"]);
    host.status_until(|status| status["account"]["remaining"] == 0).await;
    let quota = samples(&host, &["quota"]).await;
    assert_eq!(quota, ["quota_daily_requests 1000000", "quota_remaining_requests 0"], "the day is over");
    let build = format!("build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        samples(&host, &["build_info", "models", "generation", "policy_faults_total{policy=\"free-mode\""]).await,
        [
            &*build,
            "generation 1",
            "models 2",
            "models_visible 2",
            "policy_faults_total{policy=\"free-mode\",version=\"0.1.0\"} 0"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_may_scrape() {
    let host = Setup::new().models(&[A]).set("server.admin_key", "admin-key").start().await;
    assert_eq!(host.get("/metrics").await.status, 401);
    assert_eq!(host.get_with("/metrics", &[("authorization", "Bearer admin-key")]).await.status, 200);
}
