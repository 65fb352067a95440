//! `list-models`: every flag, off and on a terminal, with and without a router.

use insta::assert_snapshot;
use ollama_router::sandbox::reply::Reply;
use serde_json::Value;

use crate::support::{
    models::{catalog, paid},
    program::Program,
    scene::Scene,
};

const LIST: &str = ".config/ollama-router/models.json";

fn names(scene: &Scene, arguments: &[&str]) -> Vec<String> {
    let ran = scene.program.run(&[&["list-models", "--json"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.err);
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_whole_off_a_terminal_and_fits_on_one() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    assert_snapshot!("list_models_piped", scene.told(&["list-models", "-p", &port]));
    assert_snapshot!("list_models_all_piped", scene.told(&["list-models", "--all", "-p", &port]));
    for columns in [140, 80, 40] {
        for (name, all) in [("list_models", None), ("list_models_all", Some("--all"))] {
            let arguments: Vec<&str> = ["list-models", "-p", &port].into_iter().chain(all).collect();
            let shown = scene.program.terminal(12, columns, &arguments).ended();
            assert_eq!(shown.code, Some(0));
            assert!(shown.screen.lines().all(|line| line.chars().count() <= columns.into()), "{}", shown.screen);
            assert_snapshot!(format!("{name}_{columns}"), shown.screen);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flag_chooses_what_it_says() {
    const LARGE: &str = "large-70b:free";
    const SEER: &str = "seer-12b:free";
    const LONG: &str = "a-model-whose-name-takes-a-lot-of-room-8b:free";
    const PAID: &str = "acme/pro-1";
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    let rows: [(&[&str], &[&str]); 13] = [
        (&[], &[LARGE, SEER, LONG]),
        (&["--all"], &[LARGE, SEER, LONG, PAID]),
        (&["--tool-use-only"], &[LARGE, SEER]),
        (&["--vision"], &[SEER]),
        (&["--filter", " SEER "], &[SEER]),
        (&["-f", "seer", "-f", "zeta/"], &[SEER, LONG]),
        (&["-f", "the model acme"], &[LARGE, SEER]),
        (&["-f", ""], &[LARGE, SEER, LONG]),
        (&["--sort", "name"], &[LONG, LARGE, SEER]),
        (&["--sort", "context", "--all"], &[PAID, LARGE, SEER, LONG]),
        (&["--sort", "price", "--all"], &[LARGE, SEER, LONG, PAID]),
        (&["--sort", "expiry"], &[SEER, LARGE, LONG]),
        (&["--sort", "state", "--all"], &[LARGE, SEER, LONG, PAID]),
    ];
    for (flags, expected) in rows {
        assert_eq!(names(&scene, &[flags, &["-p", &port]].concat()), expected, "{flags:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_says_why_and_ends_with_0() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    assert_snapshot!(scene.told(&["list-models", "-p", &port, "-f", "nonsense", "--vision"]), @r"
    --- standard error
    none of 3 models is left by --filter and --vision; with --all those are looked through too that clients cannot use
    --- ends with 0
    ");
    assert_snapshot!(scene.told(&["list-models", "-p", &port, "-f", "nonsense", "--json"]), @r"
    []
    --- standard error
    none of 3 models is left by --filter; with --all those are looked through too that clients cannot use
    --- ends with 0
    ");
    let scene = Scene::of(Program::new(), catalog([paid("acme/pro-1", 8192)])).await;
    let served = scene.serve();
    assert_snapshot!(scene.told(&["list-models", "-p", &served.port.to_string()]), @r"
    --- standard error
    no model can be used; `ollama-router list-models --all` shows why: the file models-filter/filter, mode.tool_use_only or the policy's settings hide them
    --- ends with 0
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_router_the_list_that_is_kept_is_shown_with_its_age() {
    let scene = Scene::new().await;
    assert_snapshot!(scene.told(&["list-models", "--offline"]), @r"
    --- standard error
    error: there is no list of models in ~/.config/ollama-router; `ollama-router cache refresh` makes one
    --- ends with 1
    ");
    assert_eq!(names(&scene, &[]).len(), 3, "it is fetched, as nobody forbade it");
    scene.sandbox.fail_catalog(&Reply::html(502));
    let asked = scene.sandbox.requests().len();
    assert_snapshot!(scene.told(&["list-models", "--offline", "-f", "seer"]), @r"
    MODEL          CONTEXT  TOOLS  VISION  REASONING  STATE  PRICE  EXPIRES     EMBEDS  ID
    seer-12b:free     128k  yes    yes     yes        ready  free   2090-06-30  -       acme/seer-12b:free
    --- standard error
    no router was asked; this list is SPAN old
    --- ends with 0
    ");
    assert_eq!(scene.sandbox.requests().len(), asked, "the network was asked");
    std::fs::write(scene.program.path(LIST), "nonsense").unwrap();
    let told = scene.told(&["list-models", "--offline"]);
    assert!(told.contains("the list of models in ~/.config/ollama-router is damaged: "), "{told}");
    assert!(told.contains("`ollama-router cache refresh` makes one") && told.ends_with("ends with 1"), "{told}");
    assert!(scene.program.path(LIST).is_file(), "who only looks sets nothing aside");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_router_models_still_rest() {
    let scene = Scene::new().await;
    let served = scene.serve();
    scene.sandbox.script("acme/large-70b:free", [Reply::harness_gate()]);
    let body = r#"{"model": "auto", "prompt": "Hello", "stream": false}"#;
    let answer = crate::support::http().post(served.url("/api/generate")).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    served.signal("TERM");
    assert_eq!(served.ended().code, Some(0));
    let ran = scene.program.run(&["list-models", "--offline", "--json", "--sort", "state"]);
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    let last = rows.as_array().unwrap().last().unwrap();
    assert_eq!((&last["name"], &last["state"]["standing"]), (&"large-70b:free".into(), &"cooling".into()), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_cannot_be_asked_is_told_with_what_to_do() {
    let scene = Scene::new().await;
    assert_snapshot!(scene.told(&["list-models", "-p", "1"]), @r"
    --- standard error
    error: no router is running at http://127.0.0.1:1; start one with `ollama-router start -p 1`
    --- ends with 1
    ");
    assert_snapshot!(scene.told(&["list-models", "-H", "http://localhost:11434"]), @r"
    --- standard error
    error: `localhost:11434` is no host: give a name or an address alone, such as `-H 192.168.1.5`, and the port with `-p`
    --- ends with 2
    ");
    assert_snapshot!(scene.told(&["list-models", "--offline", "-p", "1"]), @r"
    --- standard error
    error: the argument '--offline' cannot be used with '--port <PORT>'

    Usage: ollama-router list-models --offline

    For more information, try '--help'.
    --- ends with 2
    ");
    scene.sandbox.fail_catalog(&Reply::html(502));
    let told = scene.told(&["list-models"]);
    assert!(told.contains("no router is running, and without one there is no list of models: "), "{told}");
}
