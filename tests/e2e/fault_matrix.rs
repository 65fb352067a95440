//! Every way a reply can fail, in every protocol and form: the whole matrix.
//!
//! A row is one reply form of `openrouter-api.md`, which a model of its own
//! gives in each form; another model is sound and larger. For each cell it is
//! held what the client sees (status, headers, words, how the body ends, an
//! error in the shape of its protocol), which kind is told, how long the model
//! rests, and how many calls were made. The rows are in the files of the
//! sections; what a single fault leads to beyond that is in `failover`,
//! `exhausted`, `streaming` and `cooldown`.

mod limits;
mod statuses;
mod streams;

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use ollama_router::sandbox::{reply::Reply as Upstream, scenario::Scenario};
use serde_json::Value;

use crate::support::{
    Host, Reply, Setup,
    ask::{FORMS, Form, Told},
    models::{catalog, entry},
};

/// The model that answers in place of the others: the largest.
const GOOD: &str = "acme/good:free";

/// The model that fails where only one does.
const ALONE: &str = "acme/alone:free";

/// The context of the others, in tokens.
const SMALL: u32 = 50_000;

/// Cells at the same time: some of them wait for a timeout.
const TOGETHER: usize = 48;

/// One reply form and all that follows from it.
struct Row {
    /// Section of the reference, and a short name.
    name: &'static str,
    reply: Upstream,
    /// The kind it is told as; nothing for an answer that is sound.
    kind: &'static str,
    /// Seconds for which the model rests after it; 0 for an innocent one.
    rest_s: u64,
    fate: Fate,
}

/// What becomes of the request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Another model answers, and the client sees nothing of it.
    Next,
    /// Whoever reads along is told that the answer broke off after `One two`;
    /// who wants the whole is answered by another model.
    Breaks,
    /// The same model is asked again after a wait, and answers.
    Again,
    /// The client is told, with this status.
    Told(u16),
    /// The answer is good: `One two`.
    Sound,
}

/// A row that lets a model rest and moves on.
fn next(name: &'static str, reply: Upstream, kind: &'static str, rest_s: u64) -> Row {
    Row { name, reply, kind, rest_s, fate: Fate::Next }
}

/// A row in which the answer breaks off after its first words.
fn breaks(name: &'static str, reply: Upstream, kind: &'static str, rest_s: u64) -> Row {
    Row { name, reply, kind, rest_s, fate: Fate::Breaks }
}

/// A row that ends the request, and punishes no model.
fn told(name: &'static str, reply: Upstream, kind: &'static str, status: u16) -> Row {
    Row { name, reply, kind, rest_s: 0, fate: Fate::Told(status) }
}

/// A row in which nothing fails.
fn sound(name: &'static str, reply: Upstream) -> Row {
    Row { name, reply, kind: "", rest_s: 0, fate: Fate::Sound }
}

/// A row in one form, with the model that gives it.
struct Cell<'a> {
    row: &'a Row,
    form: Form,
    id: String,
}

/// Runs rows that do not disturb each other, all before one router.
async fn check_together(setup: Setup, rows: &[Row]) {
    let cells: Vec<Cell<'_>> = rows
        .iter()
        .enumerate()
        .flat_map(|(row, _)| FORMS.iter().enumerate().map(move |(form, _)| (row, form)))
        .map(|(row, form)| Cell { row: &rows[row], form: FORMS[form], id: format!("acme/r{row}-{form}:free") })
        .collect();
    let failing = cells.iter().map(|cell| entry(&cell.id, SMALL));
    let list = catalog([entry(GOOD, 2 * SMALL)].into_iter().chain(failing));
    let host = setup.scenario(Scenario::quiet().catalog(list)).start().await;
    for cell in &cells {
        cell.script(&host);
    }
    let asked = cells.iter().map(|cell| host.ask(cell.form, &cell.id));
    let answers: Vec<Reply> = stream::iter(asked).buffered(TOGETHER).collect().await;
    let states = states(&host).await;
    let mut made = 0;
    for (cell, answer) in cells.iter().zip(&answers) {
        made += cell.check(answer);
        cell.check_state(&states[&cell.id]);
    }
    assert_eq!(host.called().len(), made, "calls to all models together");
    assert_eq!(states[GOOD]["standing"], "ready", "nothing ever failed there");
}

/// Runs rows that concern the key or the account one after the other, and has
/// what happened forgotten in between.
async fn check_in_turn(setup: Setup, rows: &[Row]) {
    let host = setup.models(&[GOOD, ALONE]).start().await;
    for cell in cells_alone(rows) {
        cell.check_on(&host).await;
        assert_eq!(host.request("DELETE", "/router/failures", &[], "").await.status, 200);
    }
}

/// Runs rows after which the account must wait, each form before a router of its own.
async fn check_alone(setup: impl Fn() -> Setup, rows: &[Row]) {
    let setup = &setup;
    let checks = cells_alone(rows).map(|cell| async move {
        cell.check_on(&setup().models(&[GOOD, ALONE]).start().await).await;
    });
    stream::iter(checks).buffer_unordered(8).collect::<()>().await;
}

fn cells_alone(rows: &[Row]) -> impl Iterator<Item = Cell<'_>> {
    rows.iter().flat_map(|row| FORMS.map(|form| Cell { row, form, id: ALONE.to_owned() }))
}

/// Returns how each model stands.
async fn states(host: &Host) -> BTreeMap<String, Value> {
    let rows = host.get("/router/models").await.json();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (row["id"].as_str().unwrap().to_owned(), row["state"].clone())).collect()
}

impl Cell<'_> {
    fn name(&self) -> String {
        format!("{} {} streaming: {}", self.row.name, self.form.path, self.form.streaming)
    }

    /// Asks, and holds everything against the row.
    async fn check_on(&self, host: &Host) {
        let before = host.called().len();
        self.script(host);
        let answer = host.ask(self.form, &self.id).await;
        assert_eq!(host.called().len() - before, self.check(&answer), "{}", self.name());
        let states = states(host).await;
        self.check_state(&states[&self.id]);
        assert_eq!(states[GOOD]["standing"], "ready", "{}", self.name());
    }

    fn script(&self, host: &Host) {
        host.sandbox.clear(&self.id);
        match self.row.fate {
            Fate::Again => host.sandbox.script(&self.id, [self.row.reply.clone()]),
            Fate::Next | Fate::Breaks | Fate::Told(_) | Fate::Sound => {
                host.sandbox.always(&self.id, self.row.reply.clone());
            }
        }
    }

    /// Holds what the client sees against the row, and returns how many calls it took.
    fn check(&self, answer: &Reply) -> usize {
        let (id, name) = (self.id.as_str(), self.name());
        let failed = format!("{id}={}", self.row.kind);
        let own = |content: &str| Told { content: content.to_owned(), ..Told::hello(id, 1, None) };
        match self.row.fate {
            Fate::Breaks if self.form.streaming => {
                assert_eq!(Told::by(answer), Told { complete: false, ..own("One two") }, "{name}: {}", answer.text);
                let late = self.form.late_error(answer).unwrap_or_else(|| panic!("{name}: {}", answer.text));
                assert!(late.ends_with(&format!("({})", self.row.kind)), "{name}: {late}");
                assert_eq!(
                    (self.form.endings(answer), answer.text.contains("[DONE]")),
                    (0, false),
                    "{name}: {}",
                    answer.text
                );
                1
            }
            Fate::Next | Fate::Breaks => self.finished(answer, &Told::hello(GOOD, 2, Some(&failed))),
            Fate::Again => self.finished(answer, &Told::hello(id, 2, Some(&failed))),
            Fate::Sound => self.finished(answer, &own("One two")),
            Fate::Told(status) => {
                let message = self.form.error(answer);
                let header = |name| answer.header(name);
                assert_eq!((answer.status, answer.complete), (status, true), "{name}: {message}");
                assert_eq!((header("x-router-model"), header("x-router-attempts")), (None, Some("1")), "{name}");
                assert_eq!(header("x-router-trail"), Some(&*failed), "{name}");
                assert_eq!(header("retry-after").is_some(), status == 429, "{name}: {:?}", answer.headers);
                assert!(message.contains(&format!("({})", self.row.kind)), "{name}: {message}");
                if self.form.has_openai_errors() {
                    assert_eq!(answer.json()["error"]["code"], self.row.kind, "{name}");
                }
                1
            }
        }
    }

    fn finished(&self, answer: &Reply, expected: &Told) -> usize {
        assert_eq!(&Told::by(answer), expected, "{}: {}", self.name(), answer.text);
        assert!(self.form.is_finished(answer), "{}: {}", self.name(), answer.text);
        expected.attempts.as_deref().unwrap().parse().unwrap()
    }

    /// Holds what is remembered of the model against the row.
    fn check_state(&self, state: &Value) {
        let name = self.name();
        let kind = Some(self.row.kind).filter(|kind| !kind.is_empty());
        assert_eq!(state["last_failure"].as_str(), kind, "{name}");
        let rest_s = state["cooldown_ms"].as_u64().unwrap() / 1000;
        // Up to a tenth is added, and some time went by.
        let expected = self.row.rest_s.saturating_sub(20)..=self.row.rest_s + self.row.rest_s / 10;
        assert!(expected.contains(&rest_s), "{name}: {rest_s} s, expected {expected:?}");
        assert_eq!(state["standing"], if self.row.rest_s > 0 { "cooling" } else { "ready" }, "{name}");
        let failures = u64::from(self.row.rest_s > 0);
        assert_eq!(state["recent_failures"], failures, "{name}");
    }
}

/// Where time is not what is tested, a busy machine must not decide.
fn patient() -> Setup {
    Setup::new().set("failover.first_token_timeout", "15s").set("failover.idle_timeout", "15s")
}
