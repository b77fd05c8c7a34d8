//! Code of a tree, as far as there is room for it, parsed by what it is.

use std::collections::HashSet;

use crate::flow::Language;
use crate::flow::ir::Module;
use crate::limits::Limits;
use crate::nature::Nature;
use crate::tree::{File, Missed, Tree, line_column};

/// Files of code for which there is no room: those that are too large, and of the others the largest.
pub fn without_room(
    tree: &Tree,
    natures: &[Nature],
    limits: &Limits,
    room: &mut usize,
) -> HashSet<usize> {
    let mut all: Vec<(usize, usize)> = tree
        .files
        .iter()
        .zip(natures)
        .enumerate()
        .filter(|(_, (_, nature))| nature.is_code())
        .map(|(number, (file, _))| (file.bytes.len(), number))
        .collect();
    all.sort_unstable();
    let mut large = HashSet::new();
    for (len, number) in all {
        if !fits(len, limits, room) {
            large.insert(number);
        }
    }
    large
}

/// Whether there is room for so many bytes of code; it is taken.
pub fn fits(len: usize, limits: &Limits, room: &mut usize) -> bool {
    let left = room.checked_sub(len).filter(|_| len <= limits.code_len);
    *room = left.unwrap_or(*room);
    left.is_some()
}

/// Lists a file of code for which there is no room.
pub fn too_large(file: &File, limits: &Limits, missed: &mut Vec<Missed>) {
    let one = file.bytes.len() > limits.code_len;
    let name = if one { "code-mib" } else { "all-code-mib" };
    let reason = format!("over a limit: {name}");
    missed.push(Missed { file: file.path.clone(), reason });
}

/// Language, code, and where it stands where that is not one to one.
pub type Code = (Language, Module, Vec<(u32, u32)>);

/// The code of a file, if it is some.
pub fn code(
    file: &File,
    nature: Nature,
    missed: &mut Vec<Missed>,
    announce: &mut dyn FnMut(&str),
) -> Option<Code> {
    if matches!(nature, Nature::Data | Nature::Native) {
        return None;
    }
    let mut miss = |reason: String| missed.push(Missed { file: file.path.clone(), reason });
    if let Nature::Unread(reason) = nature {
        miss(reason);
        return None;
    }
    announce(&file.path);
    let text = file.text();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut spans = Vec::new();
    let (language, (module, error)) = match nature {
        Nature::Python => {
            if let Some(coding) = strange_coding(text) {
                miss(format!("source in the encoding `{coding}`"));
            }
            (Language::Python, crate::python::lower(text))
        }
        Nature::PythonLines => (Language::Python, crate::python::lower(&lines_of_code(text))),
        Nature::Notebook => match crate::notebook::code(text) {
            Some((code, places)) => {
                spans = places;
                (Language::Python, crate::python::lower(&code))
            }
            None => {
                miss("a notebook that is no JSON, or of another language".to_owned());
                return None;
            }
        },
        Nature::JavaScript => (Language::JavaScript, crate::javascript::lower(text, false)),
        Nature::Page | Nature::Component => {
            if nature == Nature::Component {
                miss("what stands in a component besides scripts is not read yet".to_owned());
            }
            let scripts = crate::page::scripts(text)?;
            let read = crate::javascript::lower(&scripts, nature == Nature::Component);
            // Pages are often templates of another language.
            let read = match read {
                (_, Some(_)) => {
                    let plain = crate::page::without_templates(&scripts);
                    crate::javascript::lower(&plain, nature == Nature::Component)
                }
                whole => whole,
            };
            (Language::JavaScript, read)
        }
        Nature::TypeScript => (Language::JavaScript, crate::javascript::lower(text, true)),
        Nature::Shell => (Language::Shell, crate::shell::lower(text)),
        Nature::Data | Nature::Native | Nature::Unread(_) => return None,
    };
    if let Some(at) = error {
        let (line, _) = line_column(text, at);
        miss(format!("unparsable source, line {line}"));
    }
    // A copy is as large as it has to be; what grew while it was read is not.
    Some((language, module.clone(), spans))
}

/// Lines of a `.pth` file that are code: `site` runs those that begin with `import`. Others are blanked, so that places
/// stay what they are.
fn lines_of_code(text: &str) -> String {
    // Where `str.splitlines` of Python ends lines.
    let is_end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let keep = |line: &str| line.starts_with("import ") || line.starts_with("import\t");
    let line = |whole: &str| {
        let line = whole.trim_end_matches(is_end);
        let text = if keep(line) { line.to_owned() } else { " ".repeat(line.len()) };
        let end = whole.len() - line.len();
        format!("{text}{}{}", "\n".repeat(end.min(1)), " ".repeat(end.saturating_sub(1)))
    };
    text.split_inclusive(is_end).map(line).collect()
}

/// An encoding that a file of Python says it is in (PEP 263), where letters of it may be others than those that are read.
fn strange_coding(text: &str) -> Option<String> {
    const PLAIN: [&str; 12] = [
        "utf-8",
        "utf8",
        "utf-8-sig",
        "ascii",
        "us-ascii",
        "latin-1",
        "latin1",
        "iso-8859-1",
        "iso8859-1",
        "iso-8859-15",
        "cp1252",
        "windows-1252",
    ];
    let lines = text.split(['\n', '\r']).take(3);
    let coding = lines.filter(|line| line.trim_start().starts_with('#')).find_map(|line| {
        let rest = line.split_once("coding")?.1.strip_prefix([':', '='])?.trim_start();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
        Some(rest.get(..end.unwrap_or(rest.len()))?.to_lowercase().replace('_', "-"))
    })?;
    (!PLAIN.contains(&coding.as_str())).then_some(coding)
}

/// Whether bytes are text, as no font or picture is: at their beginning, in their middle or at their end.
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    const LEN: usize = 4_096;
    let window = |from: usize| bytes.get(from..(from + LEN).min(bytes.len())).unwrap_or_default();
    let reads = |part: &[u8]| {
        let strange = |b: &&u8| matches!(b, 0..=8 | 11 | 14..=31 | 127);
        let controls = part.iter().filter(strange).count();
        let broken = String::from_utf8_lossy(part).chars().filter(|c| *c == '\u{fffd}').count();
        !part.is_empty() && (controls + broken) * 12 < part.len()
    };
    let last = bytes.len().saturating_sub(LEN);
    [0, last / 2, last].into_iter().any(|from| reads(window(from)))
}
