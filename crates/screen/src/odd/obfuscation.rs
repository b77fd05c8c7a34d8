//! Code that was made unreadable on purpose, told from code that was only made short.

use crate::autorun::Seen;
use crate::finding::{Fires, Severity};
use crate::nature::Nature;
use crate::rules;
use crate::tree::File;

/// Looks at a file.
pub fn look(seen: &mut Vec<Seen>, number: usize, file: &File, nature: &Nature) {
    let what = match nature {
        Nature::JavaScript | Nature::TypeScript => script(&file.text()),
        Nature::Python | Nature::PythonLines => python(&file.text()),
        _ => None,
    };
    if let Some((at, what)) = what {
        let place = (number, u32::try_from(at).unwrap_or(0));
        seen.push(Seen {
            severity: Severity::Medium,
            ..Seen::medium(&rules::obfuscated_code::RULE, place, Fires::Run, what)
        });
    }
}

/// Words of code, with their places.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let tail = text.get(rest..)?;
        let from = tail.find(|c: char| c.is_alphanumeric() || c == '_' || c == '$')?;
        let tail = tail.get(from..)?;
        let len = tail
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(tail.len());
        let at = rest + from;
        rest = at + len.max(1);
        Some((at, tail.get(..len)?))
    })
}

/// Share of escapes among the characters of texts.
fn escapes(text: &str) -> usize {
    text.matches("\\x").count() + text.matches("\\u00").count() + text.matches("\\u{").count()
}

fn script(text: &str) -> Option<(usize, String)> {
    let mut mangled: Vec<&str> = Vec::new();
    let mut first = 0;
    for (at, word) in words(text) {
        let digits = word.strip_prefix("_0x").or_else(|| word.strip_prefix("a0_0x"));
        if digits.is_some_and(|d| d.len() >= 2 && d.chars().all(|c| c.is_ascii_hexdigit()))
            && !mangled.contains(&word)
        {
            if mangled.is_empty() {
                first = at;
            }
            mangled.push(word);
            if mangled.len() >= 6 {
                return Some((
                    first,
                    "names are numbers (`_0x…`): an obfuscator made them".to_owned(),
                ));
            }
        }
    }
    let escapes = escapes(text);
    let is_table = text.contains("\\u") && text.matches("\\u").count() > 2 * escapes;
    if escapes >= 60 && escapes * 12 > text.len() && !is_table {
        let at = text.find("\\x").or_else(|| text.find("\\u00")).unwrap_or(0);
        return Some((at, "most of its texts are written as escapes".to_owned()));
    }
    // Programs of brackets and signs only.
    let signs =
        text.bytes().filter(|b| matches!(b, b'[' | b']' | b'(' | b')' | b'!' | b'+')).count();
    if signs > 400 && signs * 10 > text.trim().len() * 7 {
        return Some((0, "it is written in brackets and signs only".to_owned()));
    }
    // A table of texts that is turned until a sum fits, and read through a function.
    let rotates = text.contains("['push']") && text.contains("['shift']")
        || text.contains(".push(") && text.contains(".shift()") && text.contains("while(!![])");
    if rotates && text.matches("parseInt(").count() >= 3 {
        let at = text.find("parseInt(").unwrap_or(0);
        return Some((
            at,
            "a table of texts is turned until it fits: an obfuscator made it".to_owned(),
        ));
    }
    None
}

fn python(text: &str) -> Option<(usize, String)> {
    let mut alike: Vec<&str> = Vec::new();
    let mut first = 0;
    for (at, word) in words(text) {
        let letters = word.trim_start_matches('_');
        let is_alike = word.len() >= 6
            && !word.starts_with("0x")
            && (!letters.is_empty()
                && !letters.starts_with(|c: char| c.is_ascii_digit())
                && letters.chars().all(|c| matches!(c, 'l' | 'I' | '1' | 'i'))
                && letters.len() >= 5
                || !letters.is_empty()
                    && letters.starts_with(['O', 'o'])
                    && letters.chars().all(|c| matches!(c, 'O' | '0' | 'o'))
                    && letters.len() >= 5)
            || word
                .strip_prefix("_0x")
                .is_some_and(|d| d.len() >= 2 && d.chars().all(|c| c.is_ascii_hexdigit()));
        if is_alike && !alike.contains(&word) {
            if alike.is_empty() {
                first = at;
            }
            alike.push(word);
            if alike.len() >= 4 {
                return Some((first, "names are made of letters that look alike".to_owned()));
            }
        }
    }
    let escapes = text.matches("\\x").count();
    let has_texts = text.matches("b'").count() + text.matches("b\"").count();
    if escapes >= 60 && escapes * 12 > text.len() && has_texts == 0 {
        return Some((
            text.find("\\x").unwrap_or(0),
            "most of its texts are written as escapes".to_owned(),
        ));
    }
    // A chain of lambdas and `__import__` on one long line.
    text.lines()
        .scan(0_usize, |at, line| {
            let here = *at;
            *at += line.len() + 1;
            Some((here, line))
        })
        .find(|(_, line)| {
            line.len() > 400
                && line.contains("__import__")
                && (line.contains("lambda") || line.contains("exec") || line.contains("getattr"))
        })
        .map(|(at, _)| (at, "a long line imports by `__import__` and runs what it gets".to_owned()))
}
