//! Prices, and what counts as free.
//!
//! OpenRouter writes prices as decimal strings in US dollars for one unit,
//! which for prompts and completions is a token. Free mode rests on
//! [`is_free`]: in doubt a model is not free. Knows nothing of models.

use serde_json::Value;

/// Fields of `pricing` that are no price, whatever they hold: a discount does
/// not make zero into more.
const NO_PRICE: [&str; 1] = ["discount"];

/// Fields of an override that tell when it is in force.
const CONDITIONS: [&str; 3] = ["min_prompt_tokens", "utc_end", "utc_start"];

/// Tells whether every price of a `pricing` object is zero.
///
/// Those of prompt and completion have to be there. One that is negative or
/// cannot be read is not zero, and an override counts like the price itself.
pub(super) fn is_free(pricing: &Value) -> bool {
    let Some(fields) = pricing.as_object() else {
        return false;
    };
    ["prompt", "completion"].into_iter().all(|name| fields.get(name).is_some_and(is_zero))
        && fields.iter().all(|(name, value)| match (name.as_str(), value) {
            (name, _) if NO_PRICE.contains(&name) => true,
            (_, Value::Null) => true,
            ("overrides", Value::Array(overrides)) => overrides.iter().all(adds_nothing),
            (_, value) => is_zero(value),
        })
}

/// Tells whether the price is open until a model is picked, written as -1.
pub(super) fn is_open(pricing: &Value) -> bool {
    ["prompt", "completion"].into_iter().filter_map(|name| dollars(pricing.get(name)?)).any(|price| price < 0.0)
}

/// Returns the price of a million units; `None` if it is not known beforehand.
pub(super) fn per_million(price: Option<&Value>) -> Option<f64> {
    let price = dollars(price?).filter(|price| *price >= 0.0)?;
    // Rounded to a millionth of a dollar, or 0.00000015 would not give 0.15.
    Some((price * 1e12).round() / 1e6)
}

fn adds_nothing(entry: &Value) -> bool {
    entry
        .as_object()
        .is_some_and(|fields| fields.iter().all(|(name, value)| CONDITIONS.contains(&&**name) || is_zero(value)))
}

fn is_zero(price: &Value) -> bool {
    dollars(price) == Some(0.0)
}

fn dollars(price: &Value) -> Option<f64> {
    let number = match price {
        Value::String(text) => text.trim().parse().ok(),
        price => price.as_f64(),
    };
    number.filter(|number: &f64| number.is_finite())
}
