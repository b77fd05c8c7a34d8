//! What runs without being asked for: tasks of editors, scripts of installers, hooks, test set-up, builds, containers.

mod build;
mod containers;
mod editors;
mod git;
mod node;
mod python;

use serde_json::Value as Json;

use crate::finding::{Confidence, Fires, Severity};
use crate::rules::Rule;
use crate::tree::{File, Missed, Tree};

/// Something that runs by itself, or when somebody does an everyday thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Point {
    /// When.
    pub fires: Fires,
    /// The file that says so, by its number.
    pub file: usize,
    /// Where in it.
    pub at: u32,
    /// The command, if it is one.
    pub command: Option<String>,
    /// Files that run, by their paths in the tree or as the command's folder sees them.
    pub runs: Vec<String>,
    /// It runs when an editor or shell opens the folder.
    pub on_open: bool,
    /// Its name among the scripts of a package.
    pub name: Option<String>,
}

/// Something that is worth a person's look as it stands there.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The rule.
    pub rule: &'static Rule,
    /// The file, by its number.
    pub file: usize,
    /// Where in it.
    pub at: u32,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// When.
    pub fires: Fires,
    /// What it says, in one line.
    pub what: String,
}

impl Seen {
    /// Something of medium severity.
    #[must_use]
    pub const fn medium(
        rule: &'static Rule,
        (file, at): (usize, u32),
        fires: Fires,
        what: String,
    ) -> Self {
        let (severity, confidence) = (Severity::Medium, Confidence::Medium);
        Self { rule, file, at, severity, confidence, fires, what }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Surface {
    /// What runs.
    pub points: Vec<Point>,
    /// What is worth a look.
    pub seen: Vec<Seen>,
    /// What could not be read.
    pub missed: Vec<Missed>,
}

impl Surface {
    /// A command.
    fn command(&mut self, fires: Fires, file: usize, at: u32, command: impl Into<String>) {
        self.points.push(Point {
            fires,
            file,
            at,
            command: Some(command.into()),
            runs: Vec::new(),
            on_open: fires == Fires::Open,
            name: None,
        });
    }

    /// Files that are run as they are.
    fn runs(&mut self, fires: Fires, file: usize, at: u32, runs: Vec<String>) {
        let on_open = false;
        self.points.push(Point { fires, file, at, command: None, runs, on_open, name: None });
    }

    fn miss(&mut self, file: &File, reason: &str) {
        self.missed.push(Missed { file: file.path.clone(), reason: reason.to_owned() });
    }
}

/// Finds them. Settings that can't be read are listed.
#[must_use]
pub fn surface(tree: &Tree) -> Surface {
    let mut surface = Surface::default();
    let around = git::Around::of(tree);
    for (number, file) in tree.files.iter().enumerate() {
        editors::look(&mut surface, tree, number, file);
        node::look(&mut surface, tree, number, file);
        python::look(&mut surface, tree, number, file);
        git::look(&mut surface, &around, number, file);
        build::look(&mut surface, tree, number, file);
        containers::look(&mut surface, number, file);
    }
    surface
}

/// Whether a file lies in a folder of this name, at any depth: `.vscode/`.
fn within(path: &str, folder: &str) -> bool {
    path.match_indices(folder).any(|(at, _)| at == 0 || path.as_bytes().get(at - 1) == Some(&b'/'))
}

/// Whether a path ends in another one.
fn ends(path: &str, end: &str) -> bool {
    path == end || path.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'))
}

/// Settings of editors are JSON with comments.
fn json(file: &File) -> Option<Json> {
    let text = file.text();
    let text = text.trim_start_matches('\u{feff}');
    if is_deep(text) {
        return None;
    }
    jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default()).ok().flatten()
}

/// Whether brackets stand in one another deeper than anybody writes: the parser goes down as deep.
fn is_deep(text: &str) -> bool {
    const DEPTH_MAX: usize = 1_000;
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

/// JSON of a file, which is listed where it can't be read.
fn json_or_miss(surface: &mut Surface, file: &File) -> Option<Json> {
    let found = json(file);
    if found.is_none() && !file.bytes.iter().all(u8::is_ascii_whitespace) {
        surface.miss(file, "unparsable settings");
    }
    found
}

/// YAML as JSON; what is no YAML is listed.
fn yaml_or_miss(surface: &mut Surface, file: &File) -> Option<Json> {
    match serde_saphyr::from_str::<Json>(&file.text()) {
        Ok(json) => Some(json),
        Err(_) => {
            surface.miss(file, "unparsable settings");
            None
        }
    }
}

/// Where a text stands in a file, for people.
fn place(file: &File, text: &str) -> u32 {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let hay = file.text();
    let at = hay.find(&quoted).or_else(|| hay.find(text));
    let first = || text.split_whitespace().next().and_then(|word| hay.find(word));
    u32::try_from(at.or_else(first).unwrap_or(0)).unwrap_or(0)
}

/// A text, or an object with a value and how to quote it.
fn text_of(json: &Json) -> Option<String> {
    json.as_str().or_else(|| json.get("value")?.as_str()).map(str::to_owned)
}

/// A command that is one text, a list of words, or several of either by name.
fn commands_of(json: &Json) -> Vec<String> {
    match json {
        Json::String(command) => vec![command.clone()],
        Json::Array(words) => {
            let words: Vec<String> = words.iter().filter_map(Json::as_str).map(quoted).collect();
            vec![words.join(" ")]
        }
        Json::Object(several) => several.values().flat_map(commands_of).collect(),
        _ => Vec::new(),
    }
}

/// A word of a list, as a shell would need it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,~$".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
