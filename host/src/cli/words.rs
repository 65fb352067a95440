//! Figures as people read them: times, sizes, dates, prices.
//!
//! Pure, and of the terminal alone: what programs read has plain numbers.

use std::time::Duration;

use jiff::Timestamp;

/// A time for people: its two largest units are enough.
pub(super) fn span(seconds: u64) -> String {
    let kept = match seconds {
        0..3600 => seconds,
        3600..86_400 => seconds / 60 * 60,
        _ => seconds / 3600 * 3600,
    };
    humantime::format_duration(Duration::from_secs(kept)).to_string()
}

/// A moment for people, to the second.
pub(super) fn moment(seconds: u64) -> Option<String> {
    let seconds = i64::try_from(seconds).ok()?;
    Timestamp::from_second(seconds).ok().map(|moment| moment.to_string())
}

/// The day of a moment, such as `2026-12-01`.
pub(super) fn day(seconds: u64) -> Option<String> {
    moment(seconds).map(|moment| moment.chars().take_while(|letter| *letter != 'T').collect())
}

/// A number of tokens as models are spoken of: `128k`, `1M`.
///
/// Figures are round in thousands or in 1,024s, and nobody says which.
pub(super) fn tokens(count: u32) -> String {
    let thousands = match count {
        0 => return "-".to_owned(),
        1..1000 => return count.to_string(),
        _ if count.is_multiple_of(1000) => count / 1000,
        _ if count.is_multiple_of(1024) => count / 1024,
        _ => (count + 500) / 1000,
    };
    match (thousands / 1000, thousands % 1000 / 100) {
        (0, _) => format!("{thousands}k"),
        (millions, 0) => format!("{millions}M"),
        (millions, tenths) => format!("{millions}.{tenths}M"),
    }
}

/// A size for people.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| count >= *unit) {
        // Tenths, without a detour over fractions.
        Some((unit, name)) => format!("{}.{} {name}", count / unit, count % unit * 10 / unit),
        None => format!("{count} B"),
    }
}

/// A price in dollars for a million tokens: of the prompt and of the answer.
pub(super) fn price(free: bool, prompt: Option<f64>, answer: Option<f64>) -> String {
    match (prompt, answer) {
        _ if free => "free".to_owned(),
        // It costs something all the same, by the request or the picture.
        (Some(0.0), Some(0.0)) => "not by token".to_owned(),
        (prompt, answer) => format!("${}/{}", dollars(prompt), dollars(answer)),
    }
}

/// Dollars to the cent, or to two figures if they are less.
fn dollars(price: Option<f64>) -> String {
    let Some(price) = price else { return "?".to_owned() };
    let cents = format!("{price:.2}");
    if cents != "0.00" || price <= 0.0 {
        return cents;
    }
    let decimals = (3..12).find(|decimals| price * 10_f64.powi(*decimals) >= 1.0).unwrap_or(12);
    format!("{price:.*}", usize::try_from(decimals).unwrap_or_default() + 1).trim_end_matches('0').to_owned()
}

/// A number of things: `1 model`, `2 models`.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_as_people_say_them() {
        let rows = [(0, "-"), (512, "512"), (4096, "4k"), (32_768, "32k"), (128_000, "128k"), (131_072, "128k")];
        let more =
            [(200_000, "200k"), (1_000_000, "1M"), (1_048_576, "1M"), (1_500_000, "1.5M"), (10_485_760, "10.2M")];
        for (count, expected) in rows.into_iter().chain(more) {
            assert_eq!(tokens(count), expected);
        }
        assert_eq!([512, 2048, 5 << 20, 3 << 29].map(bytes), ["512 B", "2.0 KiB", "5.0 MiB", "1.5 GiB"]);
        assert_eq!([59, 3661, 90_000].map(span), ["59s", "1h 1m", "1day 1h"]);
        assert_eq!(price(false, Some(0.25), None), "$0.25/?");
        assert_eq!(price(false, Some(0.00001), Some(0.0042)), "$0.00001/0.0042");
        assert_eq!(price(false, Some(0.0), Some(1.5)), "$0.00/1.50");
        assert_eq!(price(false, Some(0.0), Some(0.0)), "not by token");
        assert_eq!(day(1_764_547_200).as_deref(), Some("2025-12-01"));
    }
}
