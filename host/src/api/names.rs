//! What Ollama takes for a model's name.
//!
//! Only looked at where no model has a name, to tell one that is not known from
//! one that cannot be: clients are told so in different words. Which models
//! there are is `catalog::names`' business.
//!
//! Outside fact: `types/model/name.go` of github.com/ollama/ollama, August 2026.

/// The longest host in bytes, and the longest of the other parts.
const MAX_HOST_BYTES: usize = 350;
const MAX_PART_BYTES: usize = 80;

/// Tells whether a text has the form `[host/][namespace/]model[:tag]`.
pub(super) fn is_wellformed(name: &str) -> bool {
    let (name, tag) = match name.rsplit_once(':') {
        // A colon before a slash is that of a host's port.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        Some(_) | None => (name, "latest"),
    };
    let mut parts = name.rsplitn(3, '/');
    let model = parts.next().unwrap_or_default();
    let namespace = parts.next().unwrap_or("library");
    let host = parts.next().unwrap_or("localhost");
    is_part(tag, ".-", MAX_PART_BYTES)
        && is_part(model, ".-", MAX_PART_BYTES)
        && is_part(namespace, "-", MAX_PART_BYTES)
        && is_part(host, ".:-", MAX_HOST_BYTES)
}

fn is_part(part: &str, others: &str, longest: usize) -> bool {
    let starts = part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    starts && part.len() <= longest && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_up_to_three_parts_and_a_tag() {
        let long = "x".repeat(81);
        let cases = [
            ("llama3.2", true),
            ("deepseek/deepseek-r1:free", true),
            ("registry.example:5000/library/_model:latest", true),
            ("A.b-c_d:Q4_K.M", true),
            ("", false),
            ("no spaces", false),
            ("-dash", false),
            ("a:", false),
            ("a:b:c", false),
            ("a/b/c/d", false),
            ("a//b", false),
            ("dotted.space/model", false),
            ("quoted'name", false),
            ("m\u{e4}rchen", false),
            (&long, false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_wellformed(name), expected, "{name}");
        }
    }
}
