//! What the simulated OpenRouter of `start --demo` says.
//!
//! Holds no test and asks nothing; what is here is compared with in
//! `tests/ollama_rs.rs`. Its twin for Python is `../python/simulated.py`.

/// A free model with tools and reasoning.
pub const LARGE: &str = "lumen-4-large:free";

/// A free model whose streams break off in the middle of their words, each time.
pub const BRITTLE: &str = "brittle-2b:free";

/// What the brittle model says before it breaks off.
pub const BROKEN: &str = "This answer is simulated, and it breaks off in the middle of its";

/// A free model whose provider refuses every request before the first word.
pub const PRIM: &str = "prim-2b:free";

/// With what words a request to it is refused.
pub const REFUSAL: &str = "no answer: thistle/prim-2b:free: thistle/prim-2b:free requires moderation on Sandbox. \
    Your input was flagged (moderated)";

/// A free model that embeds.
pub const EMBEDDING: &str = "sounding-embed-1:free";

/// The length of its vectors.
pub const DIMENSIONS: usize = 384;

/// What a model thinks when it is asked to.
pub const THOUGHT: &str = "This is simulated reasoning: I read the question, then I answer it. ";

/// What a model is asked that has the weather as a tool or a schema.
pub const QUESTION: &str = "What is the weather in Paris?";

/// A red dot: the smallest picture that every reader of PNG takes.
pub const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

/// Returns the whole answer to `words`, but for the model: another may have taken over.
pub fn answer(words: &str) -> String {
    format!(
        "This answer is simulated: no model was asked. It comes from the sandbox that stands in for OpenRouter, in \
         the place of MODEL. You asked: “{words}” With a key from openrouter.ai the same request would go to the \
         real model, and the router would fail over in the same way."
    )
}

/// Returns the whole answer to a tool's result, but for the model.
pub fn report(result: &str) -> String {
    format!("The tool answered: {result}\n\nThis summary is simulated; MODEL would have put it into better words.")
}

/// Puts `MODEL` in place of the id of the model that answered.
pub fn without_model(content: &str) -> String {
    let is_id = |word: &&str| word.contains('/') && !word.contains(' ');
    let words = content.split_inclusive([' ', '\n']);
    let named = words.map(|word| {
        let bare = word.trim_end().trim_end_matches('.');
        if is_id(&bare) { word.replacen(bare, "MODEL", 1) } else { word.to_owned() }
    });
    named.collect()
}

/// Tells whether this is a vector of `dimensions` numbers and of length one.
pub fn is_vector(vector: &[f32], dimensions: usize) -> bool {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.len() == dimensions && (length - 1.0).abs() < 1e-3
}

/// Tells whether two vectors are the same but for rounding.
pub fn is_near(vector: &[f32], other: &[f32]) -> bool {
    vector.len() == other.len() && vector.iter().zip(other).all(|(one, two)| (one - two).abs() < 1e-3)
}
