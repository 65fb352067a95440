//! What the operators' routes say of policies, as types that both ends use.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{
    current::{Current, ON_CALL, Past, Reloaded, Standing},
    policy::{
        Refused,
        generation::{Generation, Source},
        in_force::InForce,
        shadow::{Compared, Difference, Shadow, difference},
        steps::Step,
    },
};

/// The last decisions that a dry run repeats.
const REPEATED: usize = 1_000;

/// The share of decisions whose time is told.
const P99: f64 = 0.99;

/// What an operator may ask of the task that makes generations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// To read everything again, and put it in force.
    ReloadAll,
    /// To read the policies of this name again, and put them in force.
    Reload(String),
    /// To read everything again, or the policies of one name, and tell what it would
    /// change.
    DryRun(Option<String>),
    /// To go back to what a generation was made of, or to the last good one.
    RollBack(Option<u64>),
}

/// An order, answered when it is carried out.
pub struct ReloadCall {
    /// What to do.
    pub order: Order,
    /// Where the report goes.
    pub answer: oneshot::Sender<ReloadReport>,
}

/// A policy.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PolicyRow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does.
    pub summary: String,
    /// `embedded`, or its file.
    pub source: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// `active`, `on probation` (a change that is watched), `left alone` (it failed too
    /// often) or `shadow`; with `(change refused)`, `(rolled back)` for a change that failed or
    /// `(rolled back on call)` where what the files say may not be in force.
    pub state: String,
    /// The generation in force.
    pub generation: u64,
    /// Decisions asked of it since it is in force.
    pub calls: u64,
    /// Decisions that it did not give.
    pub faults: u64,
    /// Microseconds within which 99 of 100 decisions came, rounded up; none before the first.
    #[serde(default)]
    pub p99_us: Option<u64>,
    /// How its decisions compare with those that were made, if it is a shadow.
    #[serde(default)]
    pub compared: Option<ComparedRow>,
    /// Why the last change was refused, if it was.
    pub refused: Option<Refusal>,
}

/// How the decisions of a shadow compare with those that were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedRow {
    /// The share of requests on which it is asked, in percent.
    pub sample_percent: u8,
    /// It decided the same.
    pub same: u64,
    /// The first model was the same, and then the order was another.
    pub other_order: u64,
    /// The first model was another, or one of the two refused the request.
    pub other_first: u64,
    /// It failed.
    pub failed: u64,
}

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// How far it came.
    pub phase: String,
    /// What was wrong, and what to do.
    pub reason: String,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Whether something else is in force now.
    pub changed: bool,
    /// The generation in force.
    pub generation: u64,
    /// The policy in force; the first of a chain.
    pub policy: String,
    /// Its version.
    pub version: String,
    /// Names and versions of all of the chain.
    #[serde(default)]
    pub chain: String,
    /// Why the order was refused, if it was.
    pub refused: Option<Refusal>,
    /// The phases that were taken, in order; none for a rollback.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseRow>,
    /// What would change, if that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRun>,
}

/// A phase of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRow {
    /// Whose it was: a file, or the policies that were made of several.
    pub policy: String,
    /// Which one, such as `compile`.
    pub phase: String,
    /// `ok`; `kept`, if what it makes was there; or `failed`.
    pub status: String,
    /// Microseconds that it took.
    pub took_us: u64,
    /// What was wrong, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How the last reload went that changed something or was refused, whatever it was done for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    /// When it began, in milliseconds since 1970.
    pub at_ms: u64,
    /// What it was done for: `start`, `call`, `files`, `signal` or `models`.
    pub cause: String,
    /// Whether something new is in force by it.
    pub changed: bool,
    /// Why it was refused, if it was.
    pub refused: Option<Refusal>,
    /// The phases that were taken, in order.
    pub phases: Vec<PhaseRow>,
}

/// What a change would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRun {
    /// Names and versions of the policies that would be in force.
    pub chain: String,
    /// The ids of models that clients would see, and do not see now.
    pub shown: Vec<String>,
    /// The ids of models that clients see now, and would not.
    pub hidden: Vec<String>,
    /// The last decisions that were repeated.
    pub decisions: u64,
    /// Those in which the first model would be the same, and then another order.
    pub other_order: u64,
    /// Those in which the first model would be another, or the request be refused.
    pub other_first: u64,
    /// Those that the new policies could not decide.
    pub failed: u64,
}

/// Policies and settings that were in force, or are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRow {
    /// The first generation that was made of them.
    pub generation: u64,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// Names and versions of the policies.
    pub policy: String,
    /// SHA-256 of their files, in the same order.
    pub digests: Vec<String>,
    /// What they were put in force for: `start`, `call`, `files`, `signal`, `models` or
    /// `rollback`.
    #[serde(default)]
    pub cause: String,
    /// What is another than in those before: of `policy`, `settings`, `limits`, `shadow`,
    /// `filter`, `mode` and `on_error`; nothing for the first.
    #[serde(default)]
    pub changed: Vec<String>,
    /// `in force`, `replaced` or `rolled back`.
    pub state: String,
    /// Why they were rolled back, if they were.
    pub why: Option<String>,
}

impl PolicyRow {
    /// Describes all policies of a generation, the shadow last.
    pub fn all(generation: &Generation, current: &Current) -> Vec<Self> {
        let refused = current.refused();
        let past = current.past();
        let given_up = past.iter().rev().nth(1).filter(|past| past.standing == Standing::RolledBack);
        let note = match (&refused, given_up) {
            (Some(_), _) => " (change refused)",
            (None, Some(past)) if past.why.as_deref() == Some(ON_CALL) => " (rolled back on call)",
            (None, Some(_)) => " (rolled back)",
            (None, None) => "",
        };
        let state = |policy: &InForce| {
            let word = if policy.is_tripped() {
                "left alone"
            } else if generation.is_on_probation() {
                "on probation"
            } else {
                "active"
            };
            format!("{word}{note}")
        };
        let row = |policy| Self::of(policy, generation.number, state(policy), refused.as_deref());
        let shadow = generation.shadow.iter().flat_map(|shadow| {
            let compared = ComparedRow::of(shadow);
            let row = move |policy| {
                let row = Self::of(policy, generation.number, "shadow".to_owned(), None);
                Self { compared: Some(compared), ..row }
            };
            shadow.chain().policies().iter().map(row)
        });
        generation.chain.policies().iter().map(row).chain(shadow).collect()
    }

    fn of(policy: &InForce, generation: u64, state: String, refused: Option<&Refused>) -> Self {
        let (calls, faults) = policy.counts();
        Self {
            name: policy.name.clone(),
            version: policy.version.clone(),
            summary: policy.summary.clone(),
            source: match &policy.source {
                Source::Embedded => "embedded".to_owned(),
                Source::File(path) => path.display().to_string(),
            },
            digest: policy.digest.clone(),
            state,
            generation,
            calls,
            faults,
            p99_us: policy.latency(P99).map(|within| u64::try_from(within.as_micros()).unwrap_or(u64::MAX)),
            compared: None,
            refused: refused.map(Refusal::of),
        }
    }
}

impl ComparedRow {
    fn of(shadow: &Shadow) -> Self {
        let Compared { same, other_order, other_first, failed } = shadow.compared();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let sample_percent = (shadow.sample * 100.0).round() as u8;
        Self { sample_percent, same, other_order, other_first, failed }
    }
}

impl Refusal {
    /// Describes a refusal.
    pub fn of(refused: &Refused) -> Self {
        Self { phase: refused.phase.to_string(), reason: refused.reason.clone() }
    }
}

impl ReloadReport {
    /// Tells what is in force, and that nothing has changed.
    pub fn now(generation: &Generation) -> Self {
        let first = generation.chain.policies().first();
        Self {
            changed: false,
            generation: generation.number,
            policy: first.map(|policy| policy.name.clone()).unwrap_or_default(),
            version: first.map(|policy| policy.version.clone()).unwrap_or_default(),
            chain: generation.chain.label().to_owned(),
            refused: None,
            phases: Vec::new(),
            dry_run: None,
        }
    }
}

impl PhaseRow {
    /// Describes phases.
    pub fn all(steps: &[Step]) -> Vec<Self> {
        let row = |step: &Step| Self {
            policy: step.policy.to_string(),
            phase: step.phase.to_string(),
            status: step.end.as_str().to_owned(),
            took_us: u64::try_from(step.took.as_micros()).unwrap_or(u64::MAX),
            reason: step.refused().map(str::to_owned),
        };
        steps.iter().map(row).collect()
    }
}

impl LastReload {
    /// Describes a reload.
    pub fn of(reload: &Reloaded) -> Self {
        Self {
            at_ms: reload.at_ms,
            cause: reload.cause.to_owned(),
            changed: reload.changed,
            refused: reload.refused.as_ref().map(Refusal::of),
            phases: PhaseRow::all(&reload.steps),
        }
    }
}

impl DryRun {
    /// Compares what would be in force with what is, by the models that clients
    /// see and by the last decisions.
    pub async fn of(now: &Generation, then: &Generation) -> Self {
        let ids = |ours: &Generation, theirs: &Generation| {
            let only = ours.visible.iter().filter(|number| !theirs.visible.contains(number));
            only.filter_map(|number| Some(ours.catalog.model(*number)?.id.to_string())).collect()
        };
        let mut run = Self {
            chain: then.chain.label().to_owned(),
            shown: ids(then, now),
            hidden: ids(now, then),
            ..Self::default()
        };
        for record in now.records.last(REPEATED) {
            run.decisions += 1;
            match then.repeat(&record).await.map(|decision| difference(&record.outcome, decision.as_ref())) {
                Ok(Difference::None) => {}
                Ok(Difference::Order) => run.other_order += 1,
                Ok(Difference::First) => run.other_first += 1,
                Err(_) => run.failed += 1,
            }
        }
        run
    }
}

impl PastRow {
    /// Describes what was in force.
    pub fn of(past: &Past) -> Self {
        let state = match past.standing {
            Standing::InForce => "in force",
            Standing::Replaced => "replaced",
            Standing::RolledBack => "rolled back",
        };
        Self {
            generation: past.generation,
            since_ms: past.since_ms,
            policy: past.policy.clone(),
            digests: past.digests.clone(),
            cause: past.cause.to_owned(),
            changed: past.changed.iter().map(|word| (*word).to_owned()).collect(),
            state: state.to_owned(),
            why: past.why.clone(),
        }
    }
}
