//! Changes while the router runs: policy, settings, filter, configuration.
//!
//! By the watch and by call. Whatever changes, it is in force whole or not at
//! all, and who changed it is told.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    guests::{BY_EMBEDDED, BY_GUEST, Guest, MODELS},
    support::{
        Host, PATIENCE, Setup,
        ask::{FORMS, Told},
    },
};

const EMBEDDED: &[u8] = ollama_router::policy::EMBEDDED;

/// A configuration file with a policy in the data folder.
const WITH_MODULE: &str = "policy: {module: policies/one.wasm}\n";

/// Starts a router of a configuration file and some other files. When it is
/// here the files are being watched: the loop that answers calls began with it.
async fn start(config: &str, files: &[(&str, &[u8])]) -> Host {
    let setup = Setup::new().models(&MODELS).file("config.yaml", config);
    let host = files.iter().fold(setup, |setup, (path, bytes)| setup.file(path, bytes)).start().await;
    let (status, report) = host.reload().await;
    assert_eq!((status, &report["changed"], &report["generation"]), (200, &json!(false), &json!(1)));
    host
}

impl Host {
    /// Makes a change, waits for the generation that comes of it, and returns
    /// the model that it answers with.
    async fn after(&self, change: impl FnOnce(&Self)) -> String {
        let before = self.current().generation().number;
        change(self);
        let now = self.generation(|number| number > before).await;
        let reply = self.ask(FORMS[0], "auto").await;
        let policy = reply.header("x-router-policy").unwrap();
        assert!(policy.ends_with(&format!("; generation={now}")), "{policy}");
        reply.header("x-router-model").unwrap().to_owned()
    }

    /// Returns the model that the first generation answers with, still in force.
    async fn as_before(&self) -> String {
        let reply = self.ask(FORMS[0], "auto").await;
        let policy = reply.header("x-router-policy").unwrap();
        assert!(policy.ends_with("; generation=1"), "{policy}");
        reply.header("x-router-model").unwrap().to_owned()
    }

    /// Asks until the last change is said to be refused in a phase.
    async fn refuses_in(&self, phase: &str) -> String {
        let refused = async {
            loop {
                let refused = self.policy().await["refused"].take();
                if refused["phase"] == phase {
                    return refused["reason"].as_str().unwrap().to_owned();
                }
            }
        };
        tokio::time::timeout(PATIENCE, refused).await.expect("nothing was refused in this phase")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_written_over_is_swapped_while_the_router_runs() {
    let guest = Guest::sound().component();
    let host = start(WITH_MODULE, &[("policies/one.wasm", EMBEDDED)]).await;
    assert_eq!(host.after(|host| host.write("policies/one.wasm", &guest)).await, BY_GUEST);
    assert_eq!(host.policy().await["name"], "reversed");
    assert_eq!(host.after(|host| host.write("policies/one.wasm", EMBEDDED)).await, BY_EMBEDDED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_over_which_another_file_is_renamed_is_swapped() {
    let host = start(WITH_MODULE, &[("policies/one.wasm", EMBEDDED)]).await;
    host.write("policies/.one.wasm.partial", Guest::sound().component());
    assert_eq!(
        host.after(|host| fs::rename(host.path("policies/.one.wasm.partial"), host.path("policies/one.wasm")).unwrap())
            .await,
        BY_GUEST
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_deleted_stays_in_force_and_is_replaced_when_a_file_is_there_again() {
    let host = start(WITH_MODULE, &[("policies/one.wasm", EMBEDDED)]).await;
    fs::remove_file(host.path("policies/one.wasm")).unwrap();
    let reason = host.refuses_in("read").await;
    assert!(reason.starts_with("cannot open "), "{reason}");
    assert_eq!(host.as_before().await, BY_EMBEDDED);
    assert_eq!(host.after(|host| host.write("policies/one.wasm", Guest::sound().component())).await, BY_GUEST);
    assert_eq!(host.policy().await["refused"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_policy_is_refused_and_the_whole_one_taken() {
    let guest = Guest::sound().component();
    let host = start(WITH_MODULE, &[("policies/one.wasm", EMBEDDED)]).await;
    host.write("policies/one.wasm", &guest[..guest.len() / 2]);
    host.refuses_in("parse").await;
    assert_eq!(host.as_before().await, BY_EMBEDDED);
    assert_eq!(host.after(|host| host.write("policies/one.wasm", &guest)).await, BY_GUEST);
    assert_eq!(host.policy().await["state"], "on probation");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_behind_a_link_is_swapped_with_the_link() {
    let files: [(&str, &[u8]); 2] =
        [("releases/1/one.wasm", EMBEDDED), ("releases/2/two.wasm", &Guest::sound().component())];
    let setup = Setup::new().models(&MODELS).file("config.yaml", WITH_MODULE).file("policies/other", "");
    link(&setup.folder().join("releases/1/one.wasm"), &setup.folder().join("policies/one.wasm"));
    let host = files.iter().fold(setup, |setup, (path, bytes)| setup.file(path, bytes)).start().await;
    host.reload().await;
    assert_eq!(
        host.after(|host| link(&host.path("releases/2/two.wasm"), &host.path("policies/one.wasm"))).await,
        BY_GUEST
    );
    // What is behind the link may change too.
    assert_eq!(host.after(|host| host.write("releases/2/two.wasm", EMBEDDED)).await, BY_EMBEDDED);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_in_a_mounted_config_map_is_swapped_with_its_data() {
    let guest = Guest::sound().component();
    let setup = Setup::new().models(&MODELS).file("config.yaml", WITH_MODULE);
    let setup = setup.file("policies/..2026_1/one.wasm", EMBEDDED);
    link(Path::new("..2026_1"), &setup.folder().join("policies/..data"));
    link(Path::new("..data/one.wasm"), &setup.folder().join("policies/one.wasm"));
    let host = setup.start().await;
    host.reload().await;
    for (number, bytes, model) in [(2, &*guest, BY_GUEST), (3, EMBEDDED, BY_EMBEDDED)] {
        let mounted = |host: &Host| {
            host.write(&format!("policies/..2026_{number}/one.wasm"), bytes);
            link(Path::new(&format!("..2026_{number}")), &host.path("policies/..data"));
            fs::remove_dir_all(host.path(&format!("policies/..2026_{}", number - 1))).unwrap();
        };
        assert_eq!(host.after(mounted).await, model);
    }
}

/// Puts a link in place as a mount does it: made beside, renamed over.
#[cfg(unix)]
fn link(target: &Path, place: &Path) {
    let beside = place.with_file_name("..data_tmp");
    std::os::unix::fs::symlink(target, &beside).unwrap();
    fs::rename(beside, place).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_file_is_live_from_its_making_to_its_end() {
    let host = start("", &[]).await;
    assert_eq!(host.after(|host| host.write("models-filter/filter", "# only the second\nSECOND\n")).await, MODELS[1]);
    assert_eq!(host.after(|host| host.write("models-filter/filter", "third\n")).await, MODELS[2]);
    assert_eq!(host.after(|host| fs::remove_file(host.path("models-filter/filter")).unwrap()).await, MODELS[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_live_and_make_a_new_generation_of_the_same_policy() {
    let host = start("", &[]).await;
    let before = host.policy().await;
    assert_eq!(
        host.after(|host| host.write("config.yaml", "policy: {settings: {filter: [second]}}\n")).await,
        MODELS[1]
    );
    let after = host.policy().await;
    assert_eq!((&after["digest"], &after["source"]), (&before["digest"], &json!("embedded")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_settings_is_live() {
    let config = "policy: {settings_file: wishes.yaml}\n";
    let host = start(config, &[("wishes.yaml", b"filter: [second]\n")]).await;
    assert_eq!(host.as_before().await, MODELS[1]);
    assert_eq!(host.after(|host| host.write("wishes.yaml", "filter: [third]\n")).await, MODELS[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_break_the_schema_change_nothing_and_are_told_by_their_pointer() {
    let host = start("", &[]).await;
    host.write("config.yaml", "policy: {settings: {fallbacks: [1]}}\n");
    let reason = host.refuses_in("settings").await;
    assert!(reason.starts_with("policy.settings/fallbacks/0: "), "{reason}");
    assert_eq!(host.as_before().await, MODELS[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_is_live() {
    let host = start("mode: {unknown_model: reject}\n", &[]).await;
    assert_eq!(host.ask(FORMS[0], "nowhere/to-be-found:free").await.status, 404);
    host.after(|host| host.write("config.yaml", "mode: {unknown_model: auto}\n")).await;
    assert_eq!(Told::by(&host.ask(FORMS[0], "nowhere/to-be-found:free").await), Told::hello(MODELS[0], 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_is_refused_and_the_old_one_stays() {
    let host = start("mode: {free_mode: true}\n", &[]).await;
    for broken in ["mode: {free_mode: [\n", "mode: {fre_mode: true}\n", "policy: {limits: {time: soon}}\n"] {
        host.write("config.yaml", broken);
        let (status, report) = host.reload().await;
        assert_eq!((status, &report["changed"], &report["refused"]["phase"]), (422, &json!(false), &json!("read")));
        let reason = report["refused"]["reason"].as_str().unwrap();
        assert!(reason.contains("config.yaml"), "{reason}");
        assert_eq!(host.as_before().await, MODELS[0]);
    }
    assert_eq!(
        host.after(|host| host.write("config.yaml", "policy: {settings: {filter: [second]}}\n")).await,
        MODELS[1]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_named_later_in_the_configuration_is_taken_and_watched() {
    let guest = Guest::sound().component();
    let host = start("", &[("policies/two.wasm", &guest)]).await;
    assert_eq!(host.after(|host| host.write("config.yaml", "policy: {module: policies/two.wasm}\n")).await, BY_GUEST);
    assert_eq!(host.after(|host| host.write("policies/two.wasm", EMBEDDED)).await, BY_EMBEDDED);
    assert_eq!(host.policy().await["source"], host.path("policies/two.wasm").display().to_string());
    assert_eq!(host.after(|host| host.write("config.yaml", "")).await, BY_EMBEDDED);
    assert_eq!(host.policy().await["source"], "embedded");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_file_with_the_pinned_digest_is_taken() {
    let guest = Guest::sound().component();
    let pinned = |digest: &str| format!("policy: {{module: policies/one.wasm, sha256: {digest}}}\n");
    let embedded = ollama_router::policy::component::digest(EMBEDDED);
    let host = start(&pinned(&embedded.to_uppercase()), &[("policies/one.wasm", EMBEDDED)]).await;
    host.write("policies/one.wasm", &guest);
    let reason = host.refuses_in("pin").await;
    let digest = ollama_router::policy::component::digest(&guest);
    assert!(reason.contains(&digest) && reason.contains("policy.sha256"), "{reason}");
    assert_eq!(host.as_before().await, BY_EMBEDDED);
    assert_eq!(host.after(|host| host.write("config.yaml", pinned(&digest))).await, BY_GUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_tells_what_is_in_force_and_whether_that_is_new() {
    let guest = Guest::sound().component();
    let host = start(WITH_MODULE, &[("policies/one.wasm", EMBEDDED)]).await;
    // The watch may be faster than the call, but not each time.
    let files = [&*guest, EMBEDDED].into_iter().cycle().take(40);
    let called = async {
        for bytes in files {
            host.write("policies/one.wasm", bytes);
            let (status, report) = host.reload().await;
            assert_eq!((status, &report["refused"]), (200, &json!(null)));
            let in_force = host.policy().await;
            assert_eq!(report["generation"], in_force["generation"]);
            assert_eq!((&report["policy"], &report["version"]), (&in_force["name"], &in_force["version"]));
            assert_eq!(in_force["digest"], ollama_router::policy::component::digest(bytes));
            if report["changed"] == true {
                return;
            }
        }
        panic!("no call said that something is new");
    };
    called.await;
    let (status, again) = host.reload().await;
    assert_eq!((status, &again["changed"], &again["refused"]), (200, &json!(false), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_as_cargo_builds_it_is_wrapped_and_taken() {
    let host = start(WITH_MODULE, &[("policies/one.wasm", EMBEDDED)]).await;
    assert_eq!(host.after(|host| host.write("policies/one.wasm", Guest::sound().module())).await, BY_GUEST);
}

/// The files of the cache with what is in them: the embedded policy's and the
/// guest's.
fn compiled(host: &Host) -> [(PathBuf, Vec<u8>); 2] {
    let entries = fs::read_dir(host.path("cache")).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|end| end == "cwasm"));
    let mut files: Vec<_> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_compiled_is_kept_for_the_next_start() {
    let guest = Guest::sound().component();
    let host = start(WITH_MODULE, &[("policies/one.wasm", &guest)]).await;
    let written = |host: &Host| compiled(host).map(|(path, _)| fs::metadata(path).unwrap().modified().unwrap());
    let before = written(&host);
    let host = host.restart_fresh().await;
    assert_eq!(host.as_before().await, BY_GUEST);
    assert_eq!(written(&host), before, "it was compiled again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_put_into_the_cache_is_compiled_anew() {
    let guest = Guest::sound().component();
    let mut host = start(WITH_MODULE, &[("policies/one.wasm", &guest)]).await;
    let files = compiled(&host);
    let [one, two] = files.each_ref().map(|(_, bytes)| bytes.as_slice());
    let foreign = wasmtime::Engine::default().precompile_component(&guest).unwrap();
    let flipped = |bytes: &[u8], place: usize| [&bytes[..place], &[bytes[place] ^ 1], &bytes[place + 1..]].concat();
    let forged: [[Vec<u8>; 2]; 6] = [
        [flipped(one, one.len() / 2), flipped(two, two.len() / 2)],
        [flipped(one, 0), flipped(two, 0)],
        [one[..one.len() - 1].to_vec(), two[..20].to_vec()],
        [Vec::new(), Vec::new()],
        [foreign.clone(), [&[0; 32], &*foreign].concat()],
        // Each under the name of the other.
        [two.to_vec(), one.to_vec()],
    ];
    for forgery in &forged {
        for ((path, _), bytes) in files.iter().zip(forgery) {
            fs::write(path, bytes).unwrap();
        }
        host = host.restart_fresh().await;
        assert_eq!(host.as_before().await, BY_GUEST);
        assert_eq!(compiled(&host), files, "compiled anew, and kept in its place");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_replaced_whole_is_watched_again() {
    let host = start(WITH_MODULE, &[("policies/one.wasm", EMBEDDED)]).await;
    host.write("next/one.wasm", Guest::sound().component());
    let replaced = |host: &Host| {
        fs::rename(host.path("policies"), host.path("previous")).unwrap();
        fs::rename(host.path("next"), host.path("policies")).unwrap();
    };
    assert_eq!(host.after(replaced).await, BY_GUEST);
    assert_eq!(host.after(|host| host.write("policies/one.wasm", EMBEDDED)).await, BY_EMBEDDED);
}
