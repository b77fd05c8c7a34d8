//! Characters that can't be seen, that turn the order of a line round, or that look like others; and code that is pushed
//! out of sight (Boucher and Anderson, "Trojan Source", 2021; Unicode Technical Standard 39).

use crate::autorun::Seen;
use crate::finding::{Fires, Severity};
use crate::rules;
use crate::tree::File;

/// Blanks in a row after which nobody looks on.
const BLANKS_MIN: usize = 120;
/// Invisible characters in a row that may carry something.
const RUN_MIN: usize = 8;
/// A line that is longer was written by a program.
const LINE_LEN_MAX: usize = 1_000;
/// Findings of one kind that are told of a file.
const EACH_MAX: usize = 3;

/// Looks at a file of code.
pub fn look(seen: &mut Vec<Seen>, number: usize, file: &File) {
    let text = file.text();
    let mut at = 0_usize;
    let mut told = [0_usize; 4];
    let mut comment = false;
    for line in text.split_inclusive('\n') {
        let start = u32::try_from(at).unwrap_or(0);
        let mut tell = |kind: usize,
                        place: usize,
                        rule: &'static rules::Rule,
                        severity: Severity,
                        what: String| {
            let Some(count) = told.get_mut(kind).filter(|c| **c < EACH_MAX) else { return };
            *count += 1;
            let place = start.saturating_add(u32::try_from(place).unwrap_or(0));
            seen.push(Seen { severity, ..Seen::medium(rule, (number, place), Fires::Run, what) });
        };
        if let Some(place) = off_screen(line) {
            let what = "code stands behind more blanks than a window is wide".to_owned();
            tell(0, place, &rules::off_screen_code::RULE, Severity::Medium, what);
        }
        if !line.is_ascii() {
            if let Some((place, c)) = turns(line) {
                let what = format!(
                    "U+{:04X} turns the order of what follows, and nothing turns it back",
                    u32::from(c)
                );
                // Nobody reads a line that a machine made.
                let severity =
                    if line.len() > LINE_LEN_MAX { Severity::Low } else { Severity::High };
                tell(1, place, &rules::hidden_characters::RULE, severity, what);
            }
            if let Some((place, count)) = invisible_run(line) {
                let what = format!("{count} invisible characters in a row: they may carry code");
                tell(2, place, &rules::hidden_characters::RULE, Severity::High, what);
            }
            let plain = line.trim_start();
            comment = match comment {
                true => !line.contains("*/"),
                false => plain.starts_with("/*") && !line.contains("*/"),
            };
            if let Some((place, c)) = split_word(line) {
                let what =
                    format!("U+{:04X}, which can't be seen, stands inside a word", u32::from(c));
                tell(3, place, &rules::hidden_characters::RULE, Severity::Medium, what);
            }
            let is_comment = comment
                || plain.starts_with('#')
                || plain.starts_with("//")
                || plain.starts_with('*');
            if !is_comment && let Some((place, what)) = disguised(line) {
                tell(3, place, &rules::hidden_characters::RULE, Severity::Medium, what);
            }
        }
        at += line.len();
    }
}

/// Where code begins that stands behind a long row of blanks. A comment there hides nothing.
fn off_screen(line: &str) -> Option<usize> {
    if line.len() < BLANKS_MIN {
        return None;
    }
    let (mut run, mut from) = (0_usize, 0_usize);
    for (at, c) in line.char_indices() {
        match c {
            ' ' => run += 1,
            '\t' => run += 4,
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{3000}' => run += 1,
            '\n' | '\r' => {}
            _ => {
                if run >= BLANKS_MIN && hides(line, from, at, run) {
                    return Some(at);
                }
                run = 0;
                from = at + c.len_utf8();
            }
        }
    }
    None
}

/// Whether what stands behind a row of blanks is code that somebody hides: not a comment, nor a column of a table.
fn hides(line: &str, from: usize, at: usize, run: usize) -> bool {
    let rest: String = line.get(at..).unwrap_or_default().chars().take(400).collect();
    let rest = rest.trim_end();
    let is_code = rest.len() >= 4
        && rest.contains(['(', '=', ';', '['])
        && !rest.starts_with("//")
        && !rest.starts_with("# ")
        && !rest.starts_with('|');
    let before = line.get(..from).unwrap_or_default().trim();
    // Indentation of code that is deep is deep on every line.
    let is_hidden = !before.is_empty() || run >= 2 * BLANKS_MIN;
    is_code && is_hidden && before.matches('|').count() < 2
}

/// A character that turns the order of a line and is not taken back in it.
fn turns(line: &str) -> Option<(usize, char)> {
    let mut embedded: Vec<(usize, char)> = Vec::new();
    let mut isolated: Vec<(usize, char)> = Vec::new();
    for (at, c) in line.char_indices() {
        match c {
            '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' => embedded.push((at, c)),
            '\u{202c}' => {
                embedded.pop();
            }
            '\u{2066}' | '\u{2067}' | '\u{2068}' => isolated.push((at, c)),
            '\u{2069}' => {
                isolated.pop();
            }
            _ => {}
        }
    }
    let overrides = line.char_indices().find(|(_, c)| matches!(c, '\u{202d}' | '\u{202e}'));
    embedded.first().or(isolated.first()).copied().or(overrides)
}

const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{2064}'
            | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0100}'..='\u{e01ef}'
            | '\u{e0000}'..='\u{e007f}'
            | '\u{180e}'
            | '\u{3164}'
            | '\u{ffa0}'
            | '\u{115f}'
            | '\u{1160}'
    )
}

fn invisible_run(line: &str) -> Option<(usize, usize)> {
    let (mut run, mut from) = (0, 0);
    for (at, c) in line.char_indices() {
        if is_invisible(c) {
            if run == 0 {
                from = at;
            }
            run += 1;
            if run >= RUN_MIN {
                let all = line
                    .get(from..)
                    .unwrap_or_default()
                    .chars()
                    .take_while(|c| is_invisible(*c))
                    .count();
                return Some((from, all));
            }
        } else {
            run = 0;
        }
    }
    None
}

/// A character of no width between two Latin letters.
fn split_word(line: &str) -> Option<(usize, char)> {
    let all: Vec<(usize, char)> = line.char_indices().collect();
    all.windows(3).find_map(|w| match w {
        [(_, a), (at, c), (_, b)] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}').then_some((*at, *c))
        }
        _ => None,
    })
}

/// Letters of other scripts that look like Latin ones.
fn looks_latin(c: char) -> bool {
    const CYRILLIC: &str = "аеорсухіјѕԁһԛԝьАВЕКМНОРСТХІЈЅ";
    const GREEK: &str = "οονρικυαΑΒΕΖΗΙΚΜΝΟΡΤΥΧ";
    CYRILLIC.contains(c) || GREEK.contains(c) && !matches!(c, 'α' | 'ν' | 'ρ' | 'ι' | 'κ' | 'υ')
}

/// A letter that is only a way to write another one: mathematical, full-width.
const fn is_styled(c: char) -> bool {
    matches!(c, '\u{1d400}'..='\u{1d7ff}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' | '\u{2100}'..='\u{214f}' | '\u{24b6}'..='\u{24e9}')
}

/// A name in code with a letter that looks like another, or with something invisible in it.
fn disguised(line: &str) -> Option<(usize, String)> {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_' || is_invisible(c);
    let mut start = None;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if q == c => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '#') => return None,
            _ => {}
        }
        if is_letter(c) && (quote.is_none() || start.is_some()) {
            start.get_or_insert(at);
            continue;
        }
        let Some(from) = start.take() else { continue };
        let word = line.get(from..at).unwrap_or_default();
        if word.is_ascii() {
            continue;
        }
        let latin = word.chars().any(|c| c.is_ascii_alphabetic());
        if let Some(c) = word
            .chars()
            .find(|c| {
                is_invisible(*c)
                    && !matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
            })
            .filter(|_| word.chars().any(|c| !is_invisible(c)))
        {
            return Some((
                from,
                format!(
                    "the name `{}` has U+{:04X} in it, which can't be seen",
                    word.chars().filter(|c| !is_invisible(*c)).collect::<String>(),
                    u32::from(c)
                ),
            ));
        }
        let all_alike = word
            .chars()
            .filter(|c| c.is_alphabetic())
            .all(|c| c.is_ascii_alphabetic() || looks_latin(c));
        if let Some(c) = word
            .chars()
            .find(|c| looks_latin(*c))
            .filter(|_| latin || all_alike && word.chars().count() >= 3)
        {
            return Some((
                from,
                format!(
                    "the name `{word}` has U+{:04X} in it, which looks like a Latin letter",
                    u32::from(c)
                ),
            ));
        }
        if word.chars().any(is_styled) {
            return Some((
                from,
                format!(
                    "the name `{word}` is written in letters that the language reads as plain ones"
                ),
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_told_from_what_is_only_foreign() {
        assert!(disguised("if p\u{0430}yload == x:").is_some());
        assert!(disguised("ad\u{200b}min = 1").is_some());
        assert!(disguised("\u{1d41e}xec(x)").is_some());
        assert!(disguised("print(\"привет, \u{0430}b\")").is_none());
        assert!(disguised("Δt = 1; σ = 2; naïve = 3").is_none());
        assert!(disguised("имя = 1").is_none());
        assert!(turns("x = \"\u{202e}abc\"").is_some());
        assert!(turns("x = \"\u{2067}abc\u{2069}\"").is_none());
        assert!(off_screen(&format!("x = 1;{}run(y)", " ".repeat(200))).is_some());
        assert!(off_screen(&format!("x = 1;{}// so far right", " ".repeat(200))).is_none());
        assert!(off_screen(&format!("{}y = deep(x)", " ".repeat(130))).is_none());
    }
}
