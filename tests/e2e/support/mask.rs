//! Names for what is another each time: digests, times, sizes.
//!
//! So that whole outputs can be compared. Ports, folders and moments are in `scene`.

/// Puts a word of the same length in the place of digests, short ones and whole.
pub fn digests(text: &str) -> String {
    let is_digest = |word: &str| [12, 64].contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let masked = |word: &str| if is_digest(word) { format!("{:-<1$}", "DIGEST", word.len()) } else { word.to_owned() };
    let line = |line: &str| line.split(' ').map(masked).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Names the figures of tables, in milliseconds or by number, and has their columns
/// follow each other at one distance, for their widths are others too.
pub fn timed(text: &str) -> String {
    let is_time = |cell: &str| cell.strip_suffix(" ms").is_some_and(|figure| figure.parse::<f64>().is_ok());
    let is_number = |cell: &str| cell.parse::<u32>().is_ok();
    let name = |cell: &str| match cell {
        time if is_time(time) => "TIME".to_owned(),
        number if is_number(number) => "N".to_owned(),
        other => other.to_owned(),
    };
    let line = |line: &str| {
        let cells: Vec<String> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(name).collect();
        if cells.len() > 1 { cells.join("  ") } else { line.to_owned() }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Names times such as `256 \u{b5}s`, as wide as they are.
pub fn micros(text: &str) -> String {
    const UNIT: &str = " \u{b5}s";
    let mut parts = text.split(UNIT).map(str::to_owned).collect::<Vec<_>>();
    let last = parts.pop().unwrap_or_default();
    for part in &mut parts {
        let figure = part.len() - part.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        *part = format!("{}{:>figure$}{UNIT}", &part[..part.len() - figure], "N");
    }
    parts.concat() + &last
}

/// Names sizes such as `33.8 KiB`.
pub fn sizes(text: &str) -> String {
    let line = |line: &str| {
        let mut words: Vec<&str> = Vec::new();
        for word in line.split(' ') {
            let is_unit = ["B", "KiB", "MiB", "GiB"].contains(&word.trim_end_matches(','));
            match words.last_mut() {
                Some(last) if is_unit && last.parse::<f64>().is_ok() => {
                    *last = if word.ends_with(',') { "SIZE," } else { "SIZE" };
                }
                _ => words.push(word),
            }
        }
        words.join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
