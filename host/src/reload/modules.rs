//! From the configuration to what a generation is made of.
//!
//! Reads the filter and the modules, and compiles those that are new: a change of
//! settings alone compiles nothing. Decides nothing about what is in force.

use std::{path::PathBuf, sync::Arc, time::Instant};

use crate::{
    catalog::{Catalog, names::Unknown},
    config::{
        Limits as Bounds, Policy, load,
        module::Module,
        value::{OnError, UnknownModel},
    },
    policy::{
        EMBEDDED, Phase, Refused,
        component::{self, Code},
        decisions::log::DecisionLog,
        engine::Engine,
        generation::{self, Blueprint, Part, Settings, Source},
        limits::Limits,
        records::Records,
        steps::Steps,
        trial::Trial,
    },
    reload::watch::both_ends,
};

/// Compiled modules that are kept for the next reading: a chain and a shadow.
const KEPT: usize = 10;

/// Reads and compiles the operator's modules.
pub(super) struct Modules {
    engine: Arc<Engine>,
    embedded: Code,
    /// Those of the last readings, the newest last, by their digests.
    compiled: Vec<Code>,
    /// Where decisions are written.
    log: DecisionLog,
}

impl Modules {
    /// Compiles the embedded policy, or takes it from the cache.
    pub(super) fn new(engine: Arc<Engine>) -> Result<Self, Refused> {
        let embedded = component::compile(&engine, EMBEDDED, &Steps::default())?;
        Ok(Self { engine, embedded, compiled: Vec::new(), log: DecisionLog::default() })
    }

    /// Reads all that a generation is made of, and notes the phases.
    ///
    /// Takes as long as compiling does; runs on the policies' threads.
    pub(super) async fn blueprint(
        &mut self,
        loaded: &load::Loaded,
        catalog: Arc<Catalog>,
        records: Arc<Records>,
        steps: &Steps,
    ) -> Result<Blueprint, Refused> {
        let config = &loaded.config;
        let filter = load::load_filter(&loaded.folder)
            .map_err(|error| Refused { phase: Phase::Read, reason: error.to_string() })?;
        let mut chain = Vec::new();
        for module in modules(&config.policy) {
            chain.push(self.part(module, &config.policy.limits, steps).await?);
        }
        let shadow = match &config.policy.shadow {
            None => None,
            Some(shadow) => {
                let part = self.part(shadow.module.clone(), &config.policy.limits, steps).await;
                Some((part.map_err(Refused::of_shadow)?, shadow.sample.fraction()))
            }
        };
        Ok(Blueprint {
            chain,
            last_good: Vec::new(),
            shadow,
            embedded: self.embedded.clone(),
            settings: Settings { free_mode: config.mode.free_mode, tool_use_only: config.mode.tool_use_only, filter },
            on_error: match config.policy.on_error {
                OnError::Fallback => generation::OnError::Fallback,
                OnError::Deny => generation::OnError::Deny,
            },
            unknown: match config.mode.unknown_model {
                UnknownModel::Gone => Unknown::Gone,
                UnknownModel::Auto => Unknown::Auto,
                UnknownModel::Reject => Unknown::Reject,
            },
            catalog,
            records,
            trial: Arc::<Trial>::default(),
            log: self.log.clone(),
        })
    }

    /// Reads again the policies at some places of what was made last, and keeps all
    /// else; the shadow's place is after those of the chain.
    pub(super) async fn again(
        &mut self,
        config: &Policy,
        last: &Blueprint,
        places: &[usize],
        steps: &Steps,
    ) -> Result<Blueprint, Refused> {
        let named: Vec<Module> =
            modules(config).into_iter().chain(config.shadow.iter().map(|shadow| shadow.module.clone())).collect();
        let mut made = last.clone();
        let in_force = made.chain.iter_mut().chain(made.shadow.iter_mut().map(|(part, _)| part));
        let mut in_force: Vec<&mut Part> = in_force.collect();
        let sources = in_force.iter().map(|part| part.source.clone());
        if !sources.eq(named.iter().map(source)) {
            let reason =
                "the configuration names other policies than those in force: reload all of them, without a name";
            return Err(Refused { phase: Phase::Read, reason: reason.to_owned() });
        }
        for &place in places {
            if let (Some(module), Some(part)) = (named.get(place), in_force.get_mut(place)) {
                **part = self.part(module.clone(), &config.limits, steps).await?;
            }
        }
        Ok(made)
    }

    /// Has decisions written where the configuration says, at once.
    pub(super) fn move_log(&self, loaded: &load::Loaded) {
        self.log.move_to(loaded.config.policy.decision_log.as_deref());
    }

    async fn part(&mut self, module: Module, bounds: &Bounds, steps: &Steps) -> Result<Part, Refused> {
        let bounds = module.limits.as_ref().unwrap_or(bounds);
        let limits = Limits { time: bounds.time.duration(), memory: bounds.memory.bytes() };
        let source = source(&module);
        let code = match module.file {
            None => self.embedded.clone(),
            Some(path) => self.code(path, module.sha256, steps.of(&source.name())).await?,
        };
        Ok(Part { code, source, settings: module.settings, limits })
    }

    /// Reads and compiles a module, unless it is one of those that were.
    async fn code(&mut self, path: PathBuf, pin: Option<String>, steps: Steps) -> Result<Code, Refused> {
        let engine = Arc::clone(&self.engine);
        let (known, file) = (self.compiled.clone(), path.display().to_string());
        let compiled = self.engine.blocking(move || {
            let bytes = steps.run(Phase::Read, || component::read(&path))?;
            let digest = component::digest(&bytes);
            if let Some(pin) = pin {
                steps.run(Phase::Pin, || component::check_pin(&path, &digest, &pin))?;
            }
            let Some(code) = known.into_iter().find(|code| code.digest() == digest) else {
                return component::compile(&engine, &bytes, &steps);
            };
            steps.kept(Phase::Compile, Instant::now());
            Ok(code)
        });
        let code = compiled.await.map_err(|refused| {
            let is_named = refused.reason.contains(&file);
            if is_named { refused } else { Refused { reason: format!("{file}: {}", refused.reason), ..refused } }
        })?;
        self.compiled.retain(|known| known.digest() != code.digest());
        if self.compiled.len() >= KEPT {
            self.compiled.remove(0);
        }
        self.compiled.push(code.clone());
        Ok(code)
    }
}

/// The files from which a generation is made.
pub(super) fn files(loaded: &load::Loaded) -> Vec<PathBuf> {
    let mut files = vec![loaded.file.clone(), loaded.folder.join("models-filter").join("filter")];
    let policy = &loaded.config.policy;
    files.extend(policy.module.clone());
    files.extend(policy.settings_file.clone());
    for module in policy.chain.iter().chain(policy.shadow.iter().map(|shadow| &shadow.module)) {
        files.extend(module.file.clone());
        files.extend(module.settings_file.clone());
    }
    both_ends(files)
}

fn source(module: &Module) -> Source {
    module.file.clone().map_or(Source::Embedded, Source::File)
}

/// Returns the modules of the chain; one that is alone is a chain of one.
fn modules(policy: &Policy) -> Vec<Module> {
    if !policy.chain.is_empty() {
        return policy.chain.clone();
    }
    vec![Module {
        file: policy.module.clone(),
        settings: policy.settings.clone(),
        settings_file: None,
        sha256: policy.sha256.clone(),
        limits: None,
    }]
}
