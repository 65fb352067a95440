//! What a model's id and name let one guess: its family and its size.
//!
//! OpenRouter tells neither, and clients show both. A guess is read from the
//! words that vendors use (`gemma-4-31b-it`, `480B A35B`); where there is none,
//! there is no size. Knows no form of an answer.

use crate::catalog::{Capabilities, Model};

/// How large a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Size {
    /// As people write it: `31B`, `8x7B`.
    pub(super) text: String,
    /// How many parameters that is, if it is one plain number.
    pub(super) parameters: Option<u64>,
}

/// Returns a model's family: the first word of its id, in small letters and
/// digits. It is the prefix of keys, so it is never empty.
pub(super) fn family(model: &Model) -> String {
    let word: String =
        model.id.tail().chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // Page Assist takes families of this name for embedding models and hides them.
    let hidden = word.contains("bert") && !model.capabilities.contains(Capabilities::EMBEDDINGS);
    if word.is_empty() || hidden { "model".to_owned() } else { word }
}

/// Returns a model's size, from its id or else from its name.
pub(super) fn size(model: &Model) -> Option<Size> {
    [model.id.tail(), &model.name]
        .into_iter()
        .flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')))
        .find_map(word_size)
}

/// Reads a word such as `31b`, `1.5B`, `270m`, `8x7b` or `1t`.
///
/// A word such as `a35b`, the part of a model that works at a time, is none.
fn word_size(word: &str) -> Option<Size> {
    let unit = word.chars().last()?.to_ascii_uppercase();
    let number = word.get(..word.len() - unit.len_utf8())?;
    let thousands = match unit {
        'M' => 1,
        'B' => 1_000,
        'T' => 1_000_000,
        _ => return None,
    };
    let parameters = match number.split_once(['x', 'X']) {
        Some((experts, each)) => {
            thousandths(experts)?;
            thousandths(each)?;
            // Experts share a part of their weights, so the product is no count.
            None
        }
        None => Some(thousandths(number)?.checked_mul(thousands)?.checked_mul(1_000)?),
    };
    Some(Size { text: format!("{}{unit}", number.to_ascii_lowercase()), parameters })
}

/// Reads a number above zero with up to three decimals, in thousandths.
fn thousandths(number: &str) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{fraction:0<3}").parse().ok()?;
    whole.checked_mul(1_000)?.checked_add(fraction).filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_the_words_that_vendors_use() {
        let cases = [
            ("31b", Some(("31B", Some(31_000_000_000)))),
            ("1.5B", Some(("1.5B", Some(1_500_000_000)))),
            ("270m", Some(("270M", Some(270_000_000)))),
            ("1t", Some(("1T", Some(1_000_000_000_000)))),
            ("8x7b", Some(("8x7B", None))),
            ("a35b", None),
            ("e4b", None),
            ("b", None),
            ("0b", None),
            ("1.2.3b", None),
            ("x7b", None),
            ("v3", None),
            ("", None),
            ("99999999999999999999b", None),
        ];
        for (word, expected) in cases {
            let expected = expected.map(|(text, parameters)| Size { text: text.to_owned(), parameters });
            assert_eq!(word_size(word), expected, "{word}");
        }
    }
}
