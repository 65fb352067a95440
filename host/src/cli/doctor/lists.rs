//! What `doctor` checks of the policy, the filter and the list of models.

use crate::{
    catalog::Catalog,
    cli::{
        doctor::finding::Finding,
        rehearsal,
        words::{count, span},
    },
    clock::now_ms,
    config::load::{self, Loaded},
    policy::generation::Generation,
    refresh::kept::{self, List},
};

/// Takes the policy through all its phases, as a start would, over the list that is kept.
pub(super) async fn policy(loaded: &Loaded) -> Vec<Finding> {
    let named = match (&loaded.config.policy.module, loaded.config.policy.chain.len()) {
        (Some(module), _) => module.display().to_string(),
        (None, 0) => "the one in the program".to_owned(),
        (None, modules) => format!("a chain of {modules}"),
    };
    match rehearsal::policy(loaded).await {
        Ok(generation) => {
            let label = generation.chain.label();
            let mut findings = vec![Finding::ok("policy", format!("{label} ({named}) can be put in force"))];
            findings.extend(filter(loaded, &generation));
            findings
        }
        Err(error) => {
            let remedy = "mend it: `ollama-router policy check FILE` goes through the phases one by one";
            vec![Finding::failed("policy", format!("{named} cannot be put in force: {error:#}"), remedy)]
        }
    }
}

/// Looks for patterns of the filter file that no model has.
fn filter(loaded: &Loaded, generation: &Generation) -> Option<Finding> {
    let lines = load::load_filter(&loaded.folder).ok()?;
    let patterns: Vec<&str> = lines.iter().map(|line| pattern(line)).filter(|pattern| !pattern.is_empty()).collect();
    let catalog = &generation.catalog;
    if patterns.is_empty() {
        return Some(Finding::ok("filter", "no pattern: every model may be used"));
    }
    if catalog.models().is_empty() {
        return Some(Finding::ok(
            "filter",
            format!("{}; no list of models to hold them against", count(patterns.len(), "pattern")),
        ));
    }
    let idle: Vec<&str> = patterns.iter().copied().filter(|pattern| !is_in(catalog, pattern)).collect();
    let file = loaded.folder.join("models-filter").join("filter");
    if generation.visible.is_empty() {
        let what = format!("{} leaves no model that can be used", file.display());
        return Some(Finding::failed("filter", what, "see `ollama-router list-models --all`, and change its patterns"));
    }
    if idle.is_empty() {
        let shown = count(generation.visible.len(), "model");
        return Some(Finding::ok("filter", format!("{}; {shown} can be used", count(patterns.len(), "pattern"))));
    }
    let what = format!("no model has these patterns of {}: {}", file.display(), idle.join(", "));
    Some(Finding::warning("filter", what, "such models may be gone: see `ollama-router list-models --all`"))
}

/// Returns a line without the comment in it, as the policy reads it.
fn pattern(line: &str) -> &str {
    let mut before_signs = line.match_indices('#').filter_map(|(place, _)| line.get(..place));
    let begins_comment = |before: &&str| before.is_empty() || before.ends_with(char::is_whitespace);
    before_signs.find(begins_comment).unwrap_or(line).trim()
}

/// Says whether a pattern is part of a model's id or name, as the policy sees it: with or
/// without the tag that names have in lists.
fn is_in(catalog: &Catalog, pattern: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let pattern = pattern.strip_suffix(":latest").filter(|untagged| !untagged.is_empty()).unwrap_or(&pattern);
    let texts = |text: &str| text.to_ascii_lowercase().contains(pattern);
    catalog.models().iter().any(|model| texts(model.id.as_str()) || texts(&model.name))
}

/// Checks that there is a list of models, and how old it is.
pub(super) fn cache(loaded: &Loaded) -> Finding {
    let now = now_ms() / 1000;
    let refresh = "`ollama-router cache refresh` fetches another";
    match kept::list(&loaded.state, now) {
        List::None => Finding::ok("list of models", "none is kept yet; the first start fetches it"),
        List::Unusable(why) => Finding::warning("list of models", format!("models.json {why}"), refresh),
        List::Whole { source, .. } if source != loaded.config.openrouter.base_url.as_str() => {
            Finding::warning("list of models", format!("it is of another upstream, {source}"), refresh)
        }
        List::Whole { catalog, .. } => {
            let age = now.saturating_sub(catalog.fetched());
            let what = format!("{}, {} old", count(catalog.models().len(), "model"), span(age));
            if age > loaded.config.cache.ttl_hours.duration().as_secs() {
                return Finding::warning("list of models", what, format!("a start fetches it anew; {refresh}"));
            }
            Finding::ok("list of models", what)
        }
    }
}
