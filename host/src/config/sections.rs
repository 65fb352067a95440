//! The sections of the configuration, and which of them a running router takes over.
//!
//! The one list of them: what `config set` says of a change, and what a router logs of it,
//! both go by it. Compares values and does nothing; who takes a change over is `reload`.

use crate::config::Config;

/// A section.
struct Section {
    name: &'static str,
    /// Whether a running router takes a change over by itself; of the others it hears at
    /// its next start.
    is_live: bool,
    differs: fn(&Config, &Config) -> bool,
}

const SECTIONS: [Section; 8] = [
    Section { name: "openrouter", is_live: false, differs: |old, new| old.openrouter != new.openrouter },
    Section { name: "server", is_live: false, differs: |old, new| old.server != new.server },
    Section { name: "mode", is_live: true, differs: |old, new| old.mode != new.mode },
    Section { name: "policy", is_live: true, differs: |old, new| old.policy != new.policy },
    Section { name: "failover", is_live: false, differs: |old, new| old.failover != new.failover },
    Section { name: "cache", is_live: false, differs: |old, new| old.cache != new.cache },
    Section { name: "store", is_live: false, differs: |old, new| old.store != new.store },
    Section { name: "logging", is_live: false, differs: |old, new| old.logging != new.logging },
];

/// Tells whether a running router takes over a change of this key by itself.
pub fn is_live(key: &str) -> bool {
    let name = key.split('.').next();
    SECTIONS.iter().any(|section| section.is_live && name == Some(section.name))
}

/// Returns the sections that have changed, and count at the next start alone.
pub fn stale(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = SECTIONS.iter().filter(|section| !section.is_live && (section.differs)(old, new));
    changed.map(|section| section.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_listed_once() {
        let Ok(serde_json::Value::Object(config)) = serde_json::to_value(Config::default()) else { panic!("no map") };
        let mut names: Vec<&str> = config.keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut listed = SECTIONS.map(|section| section.name);
        listed.sort_unstable();
        assert_eq!(listed[..], names);
    }

    #[test]
    fn a_change_is_seen_in_its_own_section_alone() {
        let old = Config::default();
        let mut new = old.clone();
        new.server.port = 1;
        new.logging.level = crate::config::value::Level::Debug;
        new.mode.tool_use_only = true;
        assert_eq!(stale(&old, &new), ["server", "logging"]);
        assert_eq!([is_live("mode.tool_use_only"), is_live("policy.settings.any.key")], [true, true]);
        assert_eq!([is_live("server.port"), is_live("modes"), is_live("")], [false, false, false]);
    }
}
