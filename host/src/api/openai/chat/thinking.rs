//! The other name of the thinking, put into a piece without reading it again.
//!
//! Thinking models send most of their pieces so, and a piece that is read and
//! written anew costs several times as much as one that passes. Pieces spelled in
//! an unusual way are left to [`super::stream`].

/// What stands before a delta's first member.
const DELTA: &[u8] = b"\"delta\":{";

/// Where a delta begins, at most: before it stand the head of the piece and the
/// index of the choice.
const LOOK_BYTES: usize = 1024;

/// Returns a piece with its thinking under the name `reasoning_content` besides;
/// `None` if the place for it is not found at once.
pub(super) fn with_content(raw: &[u8], thinking: &str) -> Option<Vec<u8>> {
    let looked_at = raw.get(..LOOK_BYTES).unwrap_or(raw);
    let start = looked_at.windows(DELTA.len()).position(|bytes| bytes == DELTA)?;
    // Within a text the quote would have a backslash before it.
    if !matches!(raw.get(start.checked_sub(1)?), Some(b'{' | b',')) {
        return None;
    }
    let (before, after) = raw.split_at_checked(start + DELTA.len())?;
    // What follows is the thinking that is there already, at least.
    if after.first() != Some(&b'"') {
        return None;
    }
    let mut piece = Vec::with_capacity(raw.len() + thinking.len() + 64);
    piece.extend_from_slice(before);
    piece.extend_from_slice(b"\"reasoning_content\":");
    serde_json::to_writer(&mut piece, thinking).ok()?;
    piece.push(b',');
    piece.extend_from_slice(after);
    Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_put_in_front_of_what_is_there() {
        let told =
            |raw: &str| with_content(raw.as_bytes(), "a\"\n").map(|piece| String::from_utf8_lossy(&piece).into_owned());
        let usual = r#"{"id":"g","choices":[{"index":0,"delta":{"role":"assistant","reasoning":"a\"\n"},"finish_reason":null}]}"#;
        let expected = r#"{"id":"g","choices":[{"index":0,"delta":{"reasoning_content":"a\"\n","role":"assistant","reasoning":"a\"\n"},"finish_reason":null}]}"#;
        assert_eq!(told(usual).as_deref(), Some(expected));
        for odd in [
            r#"{"choices":[{"delta": {"reasoning":"a"}}]}"#,
            r#"{"choices":[{"delta":{ "reasoning":"a"}}]}"#,
            r#"{"x":"\"delta\":{","choices":[]}"#,
            r#"{"\"delta":{},"choices":[]}"#,
            "{}",
        ] {
            assert_eq!(told(odd), None, "{odd}");
        }
    }
}
