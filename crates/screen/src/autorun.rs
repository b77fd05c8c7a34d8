//! What runs without being asked for: tasks of editors, scripts of installers, hooks, test set-up.

use serde_json::Value as Json;

use crate::finding::Fires;
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
    /// Files that run, by their paths in the tree.
    pub runs: Vec<String>,
    /// It runs when an editor opens the folder.
    pub on_open: bool,
}

/// Finds them. Settings that can't be read, and code inside a command, are listed.
#[must_use]
pub fn points(tree: &Tree, missed: &mut Vec<Missed>) -> Vec<Point> {
    let mut all = Vec::new();
    for (number, file) in tree.files.iter().enumerate() {
        let settings: Option<fn(&File, &Json) -> Vec<Found>> = match file.name() {
            "tasks.json" if ends(&file.path, ".vscode/tasks.json") => Some(tasks),
            "package.json" => Some(scripts),
            name if name.ends_with("devcontainer.json") => Some(devcontainer),
            _ => None,
        };
        let found = match (settings, file.name()) {
            (Some(settings), _) => match json(file) {
                Some(json) => settings(file, &json),
                None => {
                    miss(missed, file, "unparsable settings");
                    Vec::new()
                }
            },
            (None, ".envrc") => vec![(Fires::Open, 0, file.text().into_owned(), true)],
            (None, name) if is_hook(&file.path) && !name.ends_with(".sample") => {
                vec![(Fires::Git, 0, file.text().into_owned(), false)]
            }
            _ => Vec::new(),
        };
        for (fires, at, command, on_open) in found {
            if crate::command::has_code(&command) {
                miss(missed, file, "code inside a command is not read yet");
            }
            let root = root(&file.path, file.name());
            let runs = crate::command::files_run(&command);
            let runs = runs.iter().map(|run| normal(&format!("{root}{run}"))).collect();
            all.push(Point { fires, file: number, at, command: Some(command), runs, on_open });
        }
        if let Some(fires) = runs_itself(file) {
            let runs = vec![file.path.clone()];
            all.push(Point { fires, file: number, at: 0, command: None, runs, on_open: false });
        }
    }
    all
}

fn miss(missed: &mut Vec<Missed>, file: &File, reason: &str) {
    missed.push(Missed { file: file.path.clone(), reason: reason.to_owned() });
}

/// The folder in which a file's commands run: editors, containers and hooks run theirs at the root of the project.
fn root<'a>(path: &'a str, name: &str) -> &'a str {
    let folder = path.strip_suffix(name).unwrap_or_default();
    let tools = [".vscode/", ".devcontainer/", ".git/hooks/", ".husky/", ".githooks/"];
    tools.iter().find_map(|tool| folder.strip_suffix(tool)).unwrap_or(folder)
}

/// A path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.join("/")
}

fn ends(path: &str, end: &str) -> bool {
    path == end || path.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'))
}

fn is_hook(path: &str) -> bool {
    [".git/hooks/", ".husky/", ".githooks/"]
        .iter()
        .any(|hooks| path.starts_with(hooks) || path.contains(&format!("/{hooks}")))
}

/// Files that tools run by their names.
fn runs_itself(file: &File) -> Option<Fires> {
    match file.name() {
        "setup.py" => Some(Fires::Install),
        "conftest.py" => Some(Fires::Test),
        "sitecustomize.py" | "usercustomize.py" => Some(Fires::Import),
        name if name.ends_with(".pth") => Some(Fires::Import),
        _ => None,
    }
}

/// Settings of editors are JSON with comments.
fn json(file: &File) -> Option<Json> {
    let text = file.text();
    let text = text.trim_start_matches('\u{feff}');
    jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default()).ok().flatten()
}

/// Where a text stands in a file, for people.
fn place(file: &File, text: &str) -> u32 {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let hay = file.text();
    let at = hay.find(&quoted).or_else(|| hay.find(text)).unwrap_or(0);
    u32::try_from(at).unwrap_or(0)
}

type Found = (Fires, u32, String, bool);

/// Tasks of VS Code that run when the folder is opened.
fn tasks(file: &File, json: &Json) -> Vec<Found> {
    let tasks = json.get("tasks").and_then(Json::as_array).cloned().unwrap_or_default();
    let opened = |task: &Json| {
        task.pointer("/runOptions/runOn").and_then(Json::as_str) == Some("folderOpen")
    };
    let mut found = Vec::new();
    for task in tasks.iter().filter(|task| opened(task)) {
        for platform in ["", "/windows", "/osx", "/linux"] {
            let command = task.pointer(&format!("{platform}/command"));
            let Some(command) = command.and_then(text_of) else { continue };
            let args = task.pointer(&format!("{platform}/args")).or_else(|| task.get("args"));
            let args = args.and_then(Json::as_array).into_iter().flatten().filter_map(text_of);
            let line: Vec<String> = std::iter::once(command.clone()).chain(args).collect();
            found.push((Fires::Open, place(file, &command), line.join(" "), true));
        }
    }
    found
}

/// A text, or an object with a value and how to quote it.
fn text_of(json: &Json) -> Option<String> {
    json.as_str().or_else(|| json.get("value")?.as_str()).map(str::to_owned)
}

/// Scripts of npm, by when they run.
fn scripts(file: &File, json: &Json) -> Vec<Found> {
    let scripts = json.get("scripts").and_then(Json::as_object).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for (name, command) in scripts {
        let Some(command) = command.as_str() else { continue };
        let fires = match name.as_str() {
            "preinstall" | "install" | "postinstall" | "prepare" | "prepublish" | "preprepare"
            | "postprepare" | "dependencies" => Fires::Install,
            "pretest" | "test" | "posttest" => Fires::Test,
            "prebuild" | "build" | "postbuild" => Fires::Build,
            _ => Fires::Run,
        };
        found.push((fires, place(file, command), command.to_owned(), false));
    }
    found
}

fn devcontainer(file: &File, json: &Json) -> Vec<Found> {
    let mut found = Vec::new();
    for (key, fires) in [
        ("initializeCommand", Fires::Open),
        ("onCreateCommand", Fires::Container),
        ("updateContentCommand", Fires::Container),
        ("postCreateCommand", Fires::Container),
        ("postStartCommand", Fires::Container),
        ("postAttachCommand", Fires::Container),
    ] {
        let commands: Vec<String> = match json.get(key) {
            Some(Json::String(command)) => vec![command.clone()],
            Some(Json::Array(words)) => {
                let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
                vec![words.join(" ")]
            }
            Some(Json::Object(several)) => several.values().filter_map(text_of).collect(),
            _ => Vec::new(),
        };
        for command in commands {
            found.push((fires, place(file, key), command, false));
        }
    }
    found
}
