//! Who may use the router, and who may look into it.
//!
//! Keys of clients and of the operator, through the front door; peers that are
//! not on this machine are tested beside `api::access`.

use crate::support::{
    Host, Setup,
    ask::{FORMS, Form},
};

const MODEL: &str = "acme/all:free";

async fn status(host: &Host, path: &str, headers: &[(&str, &str)]) -> u16 {
    host.get_with(path, headers).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn with_client_keys_every_answer_wants_one() {
    let host = Setup::new().models(&[MODEL]).set("server.client_keys", "first-key,second-key").start().await;
    for path in ["/api/tags", "/api/ps", "/api/version", "/v1/models"] {
        let rows: [(&[(&str, &str)], u16); 7] = [
            (&[], 401),
            (&[("authorization", "Bearer first-key")], 200),
            (&[("authorization", "bearer second-key")], 200),
            (&[("x-api-key", "second-key")], 200),
            // `anyone:second-key`
            (&[("authorization", "Basic YW55b25lOnNlY29uZC1rZXk=")], 200),
            (&[("authorization", "Bearer third-key")], 401),
            (&[("x-api-key", "")], 401),
        ];
        for (headers, expected) in rows {
            assert_eq!(status(&host, path, headers).await, expected, "{path} {headers:?}");
        }
    }
    for form in FORMS {
        let answer = host.ask(form, "auto").await;
        let told = form.error(&answer);
        assert_eq!(answer.status, 401, "{told}");
        assert!(told.contains("server.client_keys"), "{told}");
        if !form.is_ollama() {
            assert_eq!(answer.json()["error"]["type"], "authentication_error");
        }
    }
    assert_eq!(host.called(), Vec::<String>::new());
    for path in ["/", "/health"] {
        assert_eq!(status(&host, path, &[]).await, 200, "{path} is for watchdogs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_admin_key_the_operators_routes_want_it() {
    let host = Setup::new()
        .models(&[MODEL])
        .set("server.client_keys", "client-key")
        .set("server.admin_key", "admin-key")
        .start()
        .await;
    for path in ["/router/status", "/router/models", "/router/policy"] {
        assert_eq!(status(&host, path, &[]).await, 401, "{path}");
        assert_eq!(status(&host, path, &[("authorization", "Bearer client-key")]).await, 401, "{path}");
        assert_eq!(status(&host, path, &[("authorization", "Bearer admin-key")]).await, 200, "{path}");
    }
    assert_eq!(host.post_text("/router/policy/reload", "").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_this_machine_may_do_everything() {
    let host = Setup::new().models(&[MODEL]).start().await;
    for path in ["/api/tags", "/v1/models", "/router/status", "/router/models", "/router/policy"] {
        assert_eq!(status(&host, path, &[]).await, 200, "{path}");
        assert_eq!(
            status(&host, path, &[("authorization", "Bearer any-key")]).await,
            200,
            "{path}: clients must send some"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_holds_a_key() {
    let setup =
        Setup::new().models(&[MODEL]).set("server.admin_key", "admin-key").set("server.client_keys", "client-key");
    let host = setup.start().await;
    let key = [("authorization", "Bearer client-key")];
    let admin = [("authorization", "Bearer admin-key")];
    for (path, headers) in
        [("/api/tags", key), ("/v1/models", key), ("/router/status", admin), ("/router/policy", admin)]
    {
        let answer = host.get_with(path, &headers).await;
        let told = format!("{:?} {}", answer.headers, answer.text);
        for secret in ["client-key", "admin-key", "sk-or-v1-test"] {
            assert!(!told.contains(secret), "{path}: {told}");
        }
    }
    let form = Form { path: "/v1/chat/completions", streaming: false };
    let answer = host.ask(form, "auto").await;
    assert!(!answer.text.contains("client-key"), "{}", answer.text);
}
