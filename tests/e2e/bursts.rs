//! Files that are saved again and again, as by an editor at each key, or by a build.
//!
//! By the watch alone. What is saved last comes into force, at most some of what came
//! before does, and no request is lost meanwhile.

use futures_util::future::join;

use crate::{
    guests::{BY_EMBEDDED, BY_GUEST, Guest, MODELS},
    support::{
        Host, PATIENCE, POLICY, Setup,
        ask::{FORMS, Told},
    },
};

/// Saves in a row: far faster than a hundred a second.
const SAVES: usize = 100;

/// Saves by the policy that is in force; the last by a guest of this version.
async fn saved(host: &Host, contents: impl Iterator<Item = Vec<u8>>) {
    let asked = async {
        while host.policy().await["version"] != "9.9.9" {
            let reply = host.ask(FORMS[0], "auto").await;
            let [by_embedded, by_guest] = [BY_EMBEDDED, BY_GUEST].map(|model| Told::hello(model, 1, None));
            assert!([by_embedded, by_guest].contains(&Told::by(&reply)), "{reply:?}");
        }
    };
    let saves = async {
        for content in contents {
            host.write(POLICY, content);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, join(asked, saves)).await.expect("what was saved last is not in force");
}

fn version(version: &str) -> Vec<u8> {
    Guest::sound().replace("1.0.0", version).component()
}

async fn start() -> Host {
    let host = Setup::new().models(&MODELS).policy(ollama_router::policy::EMBEDDED).start().await;
    host.reload().await;
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_saves_the_last_one_comes_into_force() {
    let host = start().await;
    let guests = (0..SAVES).map(|number| version(&format!("1.{}.{}", number / 10, number % 10)));
    saved(&host, guests.chain([version("9.9.9")])).await;
    assert_eq!(Told::by(&host.ask(FORMS[0], "auto").await), Told::hello(BY_GUEST, 1, None));
    let generation = host.policy().await["generation"].as_u64().unwrap();
    assert!(generation < SAVES as u64, "each of the saves made a generation: {generation}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_saves_of_a_file_that_grows_are_one_change() {
    let host = start().await;
    let whole = version("9.9.9");
    let parts = (1..=SAVES).map(|part| whole[..whole.len() * part / SAVES].to_vec());
    saved(&host, parts).await;
    let policy = host.policy().await;
    assert_eq!((&policy["generation"], &policy["refused"]), (&2.into(), &serde_json::Value::Null));
}
