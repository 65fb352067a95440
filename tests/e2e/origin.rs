//! Web pages and host names: who is let in, and what a preflight says.

use crate::support::Setup;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_this_machine_is_let_in_and_a_stranger_is_not() {
    let host = Setup::new().set("server.origins", "https://chat.example.org").start().await;
    for (origin, status) in [
        ("http://localhost:3000", 200),
        ("app://obsidian.md", 200),
        ("https://chat.example.org", 200),
        ("https://evil.example", 403),
        ("null", 403),
    ] {
        let reply = host.request("GET", "/api/tags", &[("origin", origin)], "").await;
        let allowed = (status == 200).then_some(origin);
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (status, allowed), "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_for_any_path() {
    let host = Setup::new().start().await;
    for path in ["/api/chat", "/v1/chat/completions", "/nothing"] {
        let asks = [("origin", "http://localhost:3000"), ("access-control-request-method", "POST")];
        let reply = host.request("OPTIONS", path, &asks, "").await;
        assert_eq!((reply.status, reply.text.as_str()), (204, ""), "{path}");
        assert_eq!(reply.header("access-control-max-age"), Some("43200"));
        assert!(reply.header("access-control-allow-methods").unwrap().contains("POST"));
        assert!(reply.header("access-control-allow-headers").unwrap().contains("Authorization"));
        let stranger = host.request("OPTIONS", path, &[("origin", "https://evil.example")], "").await;
        assert_eq!((stranger.status, stranger.header("access-control-allow-methods")), (403, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_origins_can_be_allowed() {
    let host = Setup::new().set("server.origins", "*").start().await;
    let reply = host.request("GET", "/api/tags", &[("origin", "https://anything.example")], "").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(reply.header("vary"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_loopback_address_only_names_of_this_machine_are_answered() {
    let host = Setup::new().set("server.host", "127.0.0.1").start().await;
    for (name, status) in [("localhost", 200), ("127.0.0.1:11434", 200), ("a.local", 200), ("evil.example", 403)] {
        let reply = host.request("GET", "/api/version", &[("host", name)], "").await;
        assert_eq!(reply.status, status, "{name}");
    }
    for (name, status) in [("localhost", 204), ("study.local:1", 204), ("127.0.0.1", 405), ("evil.example", 403)] {
        let reply = host.request("OPTIONS", "/api/chat", &[("host", name)], "").await;
        assert_eq!(reply.status, status, "{name}");
    }
    let open = Setup::new().start().await;
    let reply = open.request("GET", "/api/version", &[("host", "router.example")], "").await;
    assert_eq!(reply.status, 200);
}
