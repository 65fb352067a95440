//! What an operator does: changes a file, has it read in one of four ways, and waits
//! for what has to come of it.
//!
//! Nothing here knows in which order changes are made; that is `round`'s.

use std::{fs, path::PathBuf};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    guests::{Guest, MODELS},
    soak::traffic::{Counted, Expected, Traffic},
    support::{
        PATIENCE,
        ask::FORMS,
        program::{Program, Served},
    },
};

/// Files below the home folder.
const DATA: &str = ".config/ollama-router";
pub const CONFIG: &str = ".config/ollama-router/config.yaml";
pub const POLICY: &str = ".config/ollama-router/policies/one.wasm";
pub const SHADOW: &str = ".config/ollama-router/policies/shadow.wasm";
pub const FILTER: &str = ".config/ollama-router/models-filter/filter";

/// The policy in the program, as headers name it.
pub const EMBEDDED: &str = "free-mode/0.1.0";

/// The last decisions that a change must be able to make too.
const REPEATED: usize = 100;

/// Requests at once that make a policy fall: more faults in a row than it may have.
const PRESSED: usize = 6;

/// The ways, one after the other.
const WAYS: [Way; 4] = [Way::Call, Way::Watch, Way::Hangup, Way::Rename];

/// How a change is made and the router told of it. The watch sees each of them; a
/// call or a signal comes on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Call,
    Watch,
    Hangup,
    Rename,
}

/// An operator at work.
pub struct Operator<'a> {
    program: &'a Program,
    served: &'a Served,
    traffic: Traffic,
    /// Changes that were made.
    pub changes: u32,
    made: u32,
}

impl<'a> Operator<'a> {
    /// Begins with a router that has the embedded policy.
    pub fn new(program: &'a Program, served: &'a Served, traffic: Traffic) -> Self {
        let operator = Self { program, served, traffic, changes: 0, made: 0 };
        operator.announce(EMBEDDED, &MODELS, false);
        operator
    }

    /// Ends the traffic, and tells what became of it.
    pub async fn end(self) -> Counted {
        self.traffic.end().await
    }

    /// Returns the number of the router's process.
    pub fn process(&self) -> u32 {
        self.served.process()
    }

    /// Returns the folder of compiled policies.
    pub fn cache(&self) -> PathBuf {
        self.program.path(DATA).join("cache")
    }

    /// Announces a policy, or a chain of them.
    pub fn announce(&self, label: &str, models: &'static [&'static str], falls: bool) {
        self.traffic.router().announce(label, Expected { models, falls });
    }

    /// Gives a guest a name of its own, announces it, and returns it as headers name it.
    pub fn name(&mut self, kind: &str, guest: Guest, models: &'static [&'static str]) -> (String, Guest) {
        self.made += 1;
        let name = format!("{kind}{:04x}", self.made);
        let label = format!("{name}/1.0.0");
        self.announce(&label, models, kind == "fall");
        (label, guest.replace("reversed", &name))
    }

    /// Returns a configuration that is another each time, though it means the same.
    pub fn config(&self, mut policy: Value) -> String {
        policy["limits"] = json!({"time": format!("{}ms", 200 + self.changes % 50), "memory": "4MiB"});
        policy["decision_log"] = json!("decisions.jsonl");
        json!({"policy": policy}).to_string()
    }

    /// Asks as one more client, in one form after the other.
    pub async fn ask(&self, has_mark: bool) -> String {
        let form = FORMS[self.changes as usize % FORMS.len()];
        let reply = self.traffic.router().ask(form, has_mark).await;
        reply.header("x-router-policy").unwrap().to_owned()
    }

    /// Writes a file, and waits until these policies have decided by it.
    pub async fn puts_in_force(&mut self, file: &str, content: impl AsRef<[u8]>, label: &str) {
        let before = self.rows().await.generation;
        let way = self.write(file, Some(content.as_ref()));
        self.tell(way, 200).await;
        let in_force = |rows: &Rows| rows.label == label && rows.generation > before && rows.refused.is_none();
        self.until(label, Asked::MARKED, in_force).await;
        let decided = self.ask(false).await;
        assert!(decided.starts_with(&format!("{label}; ")), "{label}: {decided}");
    }

    /// Writes a file, or removes it, and waits until it is refused in a phase.
    pub async fn is_refused(&mut self, file: &str, content: Option<&[u8]>, phase: &str) {
        let before = self.rows().await;
        assert_eq!(before.refused, None);
        let way = self.write(file, content);
        self.tell(way, 422).await;
        let after = self.until(phase, Asked::MARKED, |rows| rows.refused.as_deref() == Some(phase)).await;
        assert_eq!((after.label, after.generation), (before.label, before.generation));
    }

    /// Puts a policy in force that falls, and waits until it is rolled back from.
    /// Returns the generation in which it was.
    pub async fn falls(&mut self, label: &str, content: &[u8]) -> u64 {
        self.forgets().await;
        let before = self.rows().await.generation;
        // A call that came late would put it in force once more.
        let way = match self.write(POLICY, Some(content)) {
            Way::Call => Way::Watch,
            way => way,
        };
        self.tell(way, 200).await;
        self.is_rolled_back_from(label, before).await;
        self.changes += 1;
        let history = self.traffic.router().get("/router/policy/history").await;
        let past = history.as_array().unwrap().iter().rfind(|past| past["policy"] == label).unwrap();
        assert_eq!(past["state"], "rolled back", "{history}");
        past["generation"].as_u64().unwrap()
    }

    /// Calls for a policy that was rolled back from, and waits until it is once more.
    pub async fn insists(&mut self, label: &str) {
        self.forgets().await;
        let before = self.rows().await.generation;
        self.tell(Way::Call, 200).await;
        self.is_rolled_back_from(label, before).await;
        self.changes += 2;
    }

    async fn is_rolled_back_from(&mut self, label: &str, before: u64) {
        self.until(label, Asked::PLAINLY, |rows| rows.generation > before && rows.label == label).await;
        // In force, and given up: two generations.
        self.until(label, Asked::PRESSED, |rows| rows.generation > before + 1 && rows.label != label).await;
    }

    /// Goes back to a generation, and waits until its policy, which falls, is left alone.
    pub async fn goes_back_to_what_falls(&mut self, generation: u64, label: &str) {
        self.goes_back(&json!({"generation": generation})).await;
        self.until("left alone", Asked::PRESSED, |rows| rows.label == label && rows.state.starts_with("left alone"))
            .await;
    }

    /// Goes back.
    pub async fn goes_back(&mut self, to: &Value) {
        let reply = self.traffic.router().post("/router/policy/rollback", to).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        self.changes += 1;
        self.traffic.check();
    }

    /// Asks what the files would change, which changes nothing.
    pub async fn tries_out(&self) {
        self.forgets().await;
        let before = self.rows().await;
        let reply = self.traffic.router().post("/router/policy/reload?dry_run=true", &Value::Null).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(self.rows().await.generation, before.generation);
    }

    /// Asks so often without the mark that none of the last decisions has it: what could
    /// not make them again would not come into force.
    async fn forgets(&self) {
        join_all((0..REPEATED).map(|_| self.ask(false))).await;
    }

    /// Writes a file that the next change is about.
    pub fn write_beforehand(&self, file: &str, content: &[u8]) {
        let path = self.program.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes a file in the next way.
    fn write(&mut self, file: &str, content: Option<&[u8]>) -> Way {
        let path = self.program.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let way = WAYS[self.changes as usize % WAYS.len()];
        self.changes += 1;
        match content {
            None => fs::remove_file(path).unwrap(),
            // A configuration that is empty for a moment is one that is meant.
            Some(content) if way == Way::Rename || file == CONFIG => {
                let beside = path.with_extension("partial");
                fs::write(&beside, content).unwrap();
                fs::rename(beside, path).unwrap();
            }
            Some(content) => fs::write(path, content).unwrap(),
        }
        way
    }

    async fn tell(&mut self, way: Way, status: u16) {
        match way {
            Way::Call => {
                let reply = self.traffic.router().post("/router/policy/reload", &Value::Null).await;
                assert_eq!(reply.status, status, "{}", reply.text);
            }
            Way::Hangup => self.served.signal("HUP"),
            Way::Watch | Way::Rename => {}
        }
        self.traffic.check();
    }

    /// Looks at the policies in force until they are as wanted, and asks between two looks.
    async fn until(&mut self, what: &str, asked: Asked, wanted: impl Fn(&Rows) -> bool) -> Rows {
        let reached = async {
            loop {
                let rows = self.rows().await;
                if wanted(&rows) {
                    return rows;
                }
                join_all((0..asked.at_once).map(|_| self.ask(asked.has_mark))).await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        self.traffic.check();
        let Ok(rows) = reached else {
            let told = self.traffic.router().get("/router/policy").await;
            panic!("waited for {what} in vain: {told}");
        };
        rows
    }

    async fn rows(&self) -> Rows {
        let rows = self.traffic.router().get("/router/policy").await;
        let rows = rows.as_array().unwrap();
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        let chain = rows.iter().filter(|row| row["state"] != "shadow");
        let labels = chain.map(|row| format!("{}/{}", text(row, "name"), text(row, "version")));
        Rows {
            label: labels.collect::<Vec<_>>().join(", "),
            generation: rows[0]["generation"].as_u64().unwrap(),
            state: text(&rows[0], "state"),
            refused: rows[0]["refused"]["phase"].as_str().map(str::to_owned),
        }
    }
}

/// What is asked while something is waited for.
#[derive(Clone, Copy)]
struct Asked {
    at_once: usize,
    /// Whether it makes some policies fall.
    has_mark: bool,
}

impl Asked {
    const PLAINLY: Self = Self { at_once: 1, has_mark: false };
    const MARKED: Self = Self { at_once: 1, has_mark: true };
    const PRESSED: Self = Self { at_once: PRESSED, has_mark: true };
}

/// What the router says is in force.
#[derive(Debug)]
struct Rows {
    label: String,
    generation: u64,
    state: String,
    refused: Option<String>,
}
