//! Clients that ask without a pause, each route in each form, and hold every answer
//! against what was in force.
//!
//! An answer must be whole, by the model that the policy it names would choose, and
//! by a policy that an operator put in force; two answers of one generation must not
//! differ. A policy that is known to fall may be stood in for, and any other is counted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    guests::{MODELS, marked},
    support::{
        self, Reply,
        ask::{FORMS, Face, Form, Told},
        program::Served,
    },
};

/// Clients that ask at the same time.
const CLIENTS: usize = 4;

/// The clients.
pub struct Traffic {
    router: Arc<Router>,
    clients: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// The router as clients know it.
pub struct Router {
    url: String,
    http: reqwest::Client,
    known: Mutex<Known>,
}

/// What the operator has announced, and what came of it.
#[derive(Default)]
struct Known {
    policies: BTreeMap<String, Expected>,
    /// Who decided in a generation, and for which model.
    generations: BTreeMap<u64, (String, String)>,
    counted: Counted,
}

/// What answers may say that name a policy.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// The models that it may put in front.
    pub models: &'static [&'static str],
    /// Whether it falls over some requests.
    pub falls: bool,
}

/// What became of the requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    /// All, each answered well.
    pub answered: u64,
    /// Those in which a policy fell that was made to.
    pub stood_in: u64,
    /// Those in which a good policy was passed over all the same.
    pub surprises: u64,
}

impl Traffic {
    /// Begins to ask.
    pub fn start(served: &Served) -> Self {
        let router = Router { url: served.url(""), http: support::http(), known: Mutex::default() };
        let (router, (stop, stopped)) = (Arc::new(router), watch::channel(false));
        let mut clients = JoinSet::new();
        for first in 0..CLIENTS {
            let (router, stopped) = (Arc::clone(&router), stopped.clone());
            clients.spawn(async move {
                let forms = FORMS.into_iter().cycle().skip(first * FORMS.len() / CLIENTS);
                for form in forms {
                    if *stopped.borrow() {
                        return;
                    }
                    // The mark, over which some policies fall, is the operator's.
                    router.ask(form, false).await;
                }
            });
        }
        Self { router, clients, stop }
    }

    /// Returns the router, to be asked by others too.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Panics as a client has, if one has.
    pub fn check(&mut self) {
        if let Some(ended) = self.clients.try_join_next() {
            ended.expect("a client found a wrong answer");
        }
    }

    /// Lets every request come to its end, and tells what became of all.
    pub async fn end(mut self) -> Counted {
        self.stop.send_replace(true);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client found a wrong answer");
        }
        self.router.known().counted
    }
}

impl Router {
    /// Announces a policy that may be in force from now on, as headers name it.
    pub fn announce(&self, label: &str, expected: Expected) {
        self.known().policies.insert(label.to_owned(), expected);
    }

    /// Asks, checks the answer, and returns it.
    pub async fn ask(&self, form: Form, has_mark: bool) -> Reply {
        let mut body = if has_mark { marked(form) } else { form.body("auto", "Hello") };
        if form.face() == Face::Responses {
            // What the router would keep by design, up to a bound, is not to be measured here.
            body["store"] = json!(false);
        }
        let reply = self.post(form.path, &body).await;
        self.check(form, &reply);
        reply
    }

    /// Sends a POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = self.http.post(format!("{}{path}", self.url)).body(body.to_string());
        Reply::read(request.send().await.unwrap()).await
    }

    /// Sends a GET, and returns the JSON that comes.
    pub async fn get(&self, path: &str) -> Value {
        Reply::read(self.http.get(format!("{}{path}", self.url)).send().await.unwrap()).await.json()
    }

    fn check(&self, form: Form, reply: &Reply) {
        let header = |name| reply.header(name).unwrap_or_else(|| panic!("{form:?}: no {name} in {reply:?}"));
        let (policy, model) = (header("x-router-policy"), header("x-router-model"));
        assert_eq!(Told::by(reply), Told::hello(model, 1, None), "{form:?} {policy}");
        assert!(form.is_finished(reply), "{form:?} {policy}: {reply:?}");
        let (label, generation) = policy.split_once("; generation=").unwrap();
        let (generation, is_stood_in) = match generation.split_once("; ") {
            None => (generation, false),
            Some((generation, how)) => {
                assert_eq!(how, "fallback", "{policy}");
                (generation, true)
            }
        };
        let generation: u64 = generation.parse().unwrap();
        let mut known = self.known();
        let expected = *known.policies.get(label).unwrap_or_else(|| panic!("{policy} was never put in force"));
        known.counted.answered += 1;
        if is_stood_in {
            let counted = &mut known.counted;
            *if expected.falls { &mut counted.stood_in } else { &mut counted.surprises } += 1;
            assert!(MODELS.contains(&model), "{policy} {model}");
            return;
        }
        assert!(expected.models.contains(&model), "{policy} {model}");
        let decided = (label.to_owned(), model.to_owned());
        let first = known.generations.entry(generation).or_insert_with(|| decided.clone());
        assert_eq!(*first, decided, "two answers of generation {generation}");
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Another client that found a wrong answer is told of by itself.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
