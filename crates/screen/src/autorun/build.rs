//! Builds: make, CMake, `go generate`, what Cargo runs.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Surface, place, quoted};
use crate::finding::Fires;
use crate::tree::{File, Tree};

/// Looks at a file.
pub fn look(surface: &mut Surface, tree: &Tree, number: usize, file: &File) {
    let name = file.name();
    if is_makefile(name) {
        make(surface, number, file);
    } else if name == "CMakeLists.txt" || name.ends_with(".cmake") {
        cmake(surface, number, file);
    } else if name.ends_with(".go") {
        generate(surface, number, file);
    } else if name == "Cargo.toml" {
        cargo(surface, tree, number, file);
    } else if super::ends(&file.path, ".cargo/config.toml")
        || super::ends(&file.path, ".cargo/config")
    {
        cargo_settings(surface, number, file);
    } else if name == "justfile"
        || name == "Justfile"
        || name == "Taskfile.yml"
        || name == "Rakefile"
    {
        surface.miss(file, "a build file of this kind is not read yet");
    }
}

/// Whether a name is a makefile's.
#[must_use]
pub fn is_makefile(name: &str) -> bool {
    matches!(name, "Makefile" | "makefile" | "GNUmakefile")
        || name.ends_with(".mk")
        || name.starts_with("Makefile.") && !name.ends_with(".j2")
}

/// `define NAME` … `endef` and `$(call NAME,…)`: what is called stands where it is called, on a line of its own.
fn defined(text: &str) -> String {
    let (mut bodies, mut rest, mut open): (BTreeMap<String, String>, String, Option<String>) =
        Default::default();
    for line in text.split_inclusive('\n') {
        let plain = line.trim();
        if let Some(name) = plain.strip_prefix("define ") {
            open = Some(name.trim_end_matches('=').trim().to_owned());
        } else if plain == "endef" {
            open = None;
        } else if let Some(name) = &open {
            bodies.entry(name.clone()).or_default().push_str(line);
            continue;
        } else {
            rest.push_str(line);
            continue;
        }
        rest.push('\n');
    }
    for (name, body) in &bodies {
        let mark = format!("$(call {name}");
        let mut from = 0;
        while let Some(at) = rest.get(from..).and_then(|r| r.find(&mark)) {
            let at = from + at;
            let Some(end) = rest.get(at..).and_then(|r| r.find(')')) else { break };
            let call = rest.get(at + mark.len()..at + end).unwrap_or_default().to_owned();
            let mut body = body.trim().replace('\n', " ; ").replace('\t', "");
            for (nth, arg) in call.trim_start_matches(',').split(',').enumerate() {
                body = body.replace(&format!("$({})", nth + 1), arg.trim());
            }
            rest.replace_range(at..at + end + 1, &body);
            from = at + body.len();
        }
        let plain = format!("$({name})");
        if rest.contains(&plain) {
            rest = rest.replace(&plain, &body.trim().replace('\n', " ; "));
        }
    }
    rest
}

struct Target {
    needs: Vec<String>,
    lines: String,
    at: u32,
}

/// The first target runs with `make`, and all that it needs; others when they are asked for.
fn make(surface: &mut Surface, number: usize, file: &File) {
    let text = defined(&file.text());
    let mut settings = String::new();
    let mut targets: Vec<(String, Target)> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut default = None;
    let mut at = 0_usize;
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let start = u32::try_from(at).unwrap_or(0);
        at += line.len();
        let mut whole = line.trim_end().to_owned();
        while whole.ends_with('\\') {
            let Some(next) = lines.next() else { break };
            at += next.len();
            whole.pop();
            whole.push(' ');
            whole.push_str(next.trim());
        }
        if let Some(recipe) = whole.strip_prefix('\t') {
            let recipe = recipe.trim_start_matches(['@', '-', '+', ' ']);
            for nth in &open {
                if let Some((_, target)) = targets.get_mut(*nth) {
                    target.lines.push_str(&shell_of(recipe));
                    target.lines.push('\n');
                }
            }
            continue;
        }
        let plain = whole.trim();
        if plain.is_empty() || plain.starts_with('#') {
            continue;
        }
        let assigns = plain.find('=').filter(|e| {
            !plain
                .get(..*e)
                .unwrap_or_default()
                .trim_end_matches([':', '?', '+', '!'])
                .contains([':', ' ', '\t'])
                || plain.starts_with("export ")
                || plain.starts_with("override ")
                || is_assignment(plain)
        });
        if let Some(equal) = assigns {
            let name = plain
                .get(..equal)
                .unwrap_or_default()
                .trim_end_matches([':', '?', '+', '!'])
                .trim();
            let name = name.trim_start_matches("export ").trim_start_matches("override ").trim();
            let value = plain.get(equal + 1..).unwrap_or_default().trim();
            if name == ".DEFAULT_GOAL" {
                default = Some(value.to_owned());
            } else {
                let value = shell_of(value);
                // The value as one word; what it runs stays visible.
                let shell = if value.contains('"') {
                    format!("{name}={}\n", quoted_keeping(&value))
                } else {
                    format!("{name}=\"{value}\"\n")
                };
                settings.push_str(&shell);
            }
            open.clear();
            continue;
        }
        if let Some((names, rest)) = plain.split_once(':') {
            let rest = rest.trim_start_matches(':');
            let (needs, inline) = rest.split_once(';').unwrap_or((rest, ""));
            let needs: Vec<String> =
                needs.split_whitespace().filter(|n| *n != "|").map(str::to_owned).collect();
            open.clear();
            for name in names.split_whitespace() {
                let lines = if inline.trim().is_empty() {
                    String::new()
                } else {
                    format!("{}\n", shell_of(inline.trim().trim_start_matches(['@', '-'])))
                };
                open.push(targets.len());
                targets.push((name.to_owned(), Target { needs: needs.clone(), lines, at: start }));
            }
        } else if plain.starts_with("$(shell")
            || plain.starts_with("$(info")
            || plain.starts_with("$(eval")
        {
            settings.push_str(&shell_of(plain));
            settings.push('\n');
            open.clear();
        }
    }
    let first = default.or_else(|| {
        targets.iter().map(|(n, _)| n).find(|n| !n.starts_with('.') && !n.contains('%')).cloned()
    });
    // What is put together while the file is read runs whatever is asked for.
    if settings.contains("$(") {
        surface.command(Fires::Build, number, 0, settings.clone());
    }
    let mut reached: Vec<String> = first.into_iter().collect();
    let mut nth = 0;
    while let Some(name) = reached.get(nth).cloned() {
        nth += 1;
        for (_, target) in targets.iter().filter(|(n, _)| *n == name || n.contains('%')) {
            for need in &target.needs {
                let need = expanded(need, &settings);
                for need in need.split_whitespace() {
                    if !reached.iter().any(|r| r == need) && reached.len() < 1_000 {
                        reached.push(need.to_owned());
                    }
                }
            }
        }
    }
    for (name, target) in targets.iter().filter(|(_, t)| !t.lines.is_empty()) {
        let fires = match name.as_str() {
            _ if reached.contains(name) || name.contains('%') => Fires::Build,
            "install" | "setup" | "deps" | "bootstrap" => Fires::Install,
            "test" | "check" | "tests" => Fires::Test,
            _ => Fires::Run,
        };
        // What stands for the first need and for the target itself.
        let stem = reached.iter().find_map(|r| {
            let (before, after) = name.split_once('%')?;
            r.strip_prefix(before)?.strip_suffix(after).map(str::to_owned)
        });
        let first = target
            .needs
            .first()
            .map(|n| n.replace('%', stem.as_deref().unwrap_or("*")))
            .unwrap_or_default();
        let own = name.replace('%', stem.as_deref().unwrap_or("*"));
        let lines = target
            .lines
            .replace("$<", &first)
            .replace("$^", &target.needs.join(" "))
            .replace("$@", &own);
        surface.command(fires, number, target.at, format!("{settings}{lines}"));
    }
}

fn is_assignment(line: &str) -> bool {
    let Some((name, _)) = line.split_once('=') else { return false };
    let name = name.trim_end().trim_end_matches([':', '?', '+', '!']).trim_end();
    !name.is_empty() && !name.contains([' ', '\t', ':', '$'])
}

fn quoted_keeping(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\\\""))
}

/// A variable in a list of needs.
fn expanded(word: &str, settings: &str) -> String {
    let name = word.trim_start_matches("$(").trim_start_matches("${").trim_end_matches([')', '}']);
    if name.len() == word.len() {
        return word.to_owned();
    }
    let line = settings.lines().find_map(|l| l.strip_prefix(&format!("{name}=")));
    line.map_or_else(|| word.to_owned(), |v| v.trim_matches('"').to_owned())
}

/// A line of make as a shell has it: `$(X)` is a variable, `$(shell …)` a command, `$$` a dollar.
fn shell_of(line: &str) -> String {
    let mut all = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('$') {
        all.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        if let Some(next) = after.strip_prefix('$') {
            all.push('$');
            rest = next;
        } else if let Some(inner) = after.strip_prefix('(') {
            if let Some(command) = inner.strip_prefix("shell ") {
                all.push_str("$(");
                rest = command;
            } else if let Some((name, next)) =
                inner.split_once(')').filter(|(n, _)| !n.contains([' ', '(', '$']))
            {
                all.push_str("${");
                all.push_str(name);
                all.push('}');
                rest = next;
            } else {
                all.push_str("$(");
                rest = inner;
            }
        } else {
            all.push('$');
            rest = after;
        }
    }
    all.push_str(rest);
    all
}

/// Words of a call of CMake: quotes are taken off, comments are left out.
fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                let mut word = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => word.extend(chars.next()),
                        '"' => break,
                        other => word.push(other),
                    }
                }
                all.push(word);
            }
            '#' => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            c if c.is_whitespace() => {}
            c => {
                let mut word = c.to_string();
                while let Some(next) = chars.peek() {
                    if next.is_whitespace() || *next == '"' {
                        break;
                    }
                    word.extend(chars.next());
                }
                all.push(word);
            }
        }
    }
    all
}

fn cmake(surface: &mut Surface, number: usize, file: &File) {
    let text = file.text();
    let mut script = String::new();
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    let mut rest = &*text;
    let mut first = None;
    while let Some(open) = rest.find('(') {
        let name: String = rest
            .get(..open)
            .unwrap_or_default()
            .trim_end()
            .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default()
            .to_lowercase();
        let begins = text.len() - rest.len() + open;
        let inner = rest.get(open + 1..).unwrap_or_default();
        let end = closing(inner);
        let body = inner.get(..end).unwrap_or_default();
        rest = inner.get(end..).unwrap_or_default().strip_prefix(')').unwrap_or_default();
        let words: Vec<String> = words(body)
            .into_iter()
            .map(|w| settings.iter().fold(w, |w, (k, v)| w.replace(&format!("${{{k}}}"), v)))
            .collect();
        let mut line = String::new();
        match name.as_str() {
            "set" => {
                if let Some((name, value)) = words.split_first() {
                    settings.insert(name.clone(), value.join(";"));
                }
            }
            "string" => {
                if let [op, out, parts @ ..] = &words[..]
                    && (op == "CONCAT" || op == "APPEND")
                {
                    let before = if op == "APPEND" {
                        settings.get(out).cloned().unwrap_or_default()
                    } else {
                        String::new()
                    };
                    settings.insert(out.clone(), before + &parts.concat());
                }
            }
            "list" => {
                if let [op, out, parts @ ..] = &words[..]
                    && op == "APPEND"
                {
                    let before = settings.get(out).cloned().unwrap_or_default();
                    settings.insert(out.clone(), [vec![before], parts.to_vec()].concat().join(";"));
                }
            }
            "execute_process"
            | "add_custom_command"
            | "add_custom_target"
            | "externalproject_add"
            | "install"
            | "exec_program" => {
                const KEYS: [&str; 26] = [
                    "WORKING_DIRECTORY",
                    "OUTPUT_VARIABLE",
                    "RESULT_VARIABLE",
                    "ERROR_VARIABLE",
                    "OUTPUT_QUIET",
                    "ERROR_QUIET",
                    "COMMAND_ECHO",
                    "TIMEOUT",
                    "DEPENDS",
                    "COMMENT",
                    "VERBATIM",
                    "BYPRODUCTS",
                    "POST_BUILD",
                    "PRE_BUILD",
                    "PRE_LINK",
                    "TARGET",
                    "OUTPUT",
                    "MAIN_DEPENDENCY",
                    "CONFIGURE_COMMAND",
                    "BUILD_COMMAND",
                    "INSTALL_COMMAND",
                    "SOURCE_DIR",
                    "USES_TERMINAL",
                    "OUTPUT_STRIP_TRAILING_WHITESPACE",
                    "COMMAND_ERROR_IS_FATAL",
                    "RESULTS_VARIABLE",
                ];
                let mut open = false;
                let mut command: Vec<String> = Vec::new();
                let mut all: Vec<String> = Vec::new();
                for word in words.iter().chain([&"COMMAND".to_owned()]) {
                    let starts = word == "COMMAND"
                        || word.ends_with("_COMMAND")
                            && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
                        || word == "CODE";
                    if starts || KEYS.contains(&word.as_str()) {
                        if !command.is_empty() {
                            all.push(command.join(" "));
                            command.clear();
                        }
                        open = starts;
                    } else if open {
                        for part in word.split(';').filter(|p| !p.is_empty()) {
                            command.push(if word.contains(';') && !word.contains(' ') {
                                quoted(part)
                            } else {
                                quoted(word)
                            });
                            if !word.contains(';') || word.contains(' ') {
                                break;
                            }
                        }
                    }
                }
                // Several commands of one process are piped.
                line = all.join(if name == "execute_process" { " | " } else { "\n" });
            }
            "file" => {
                if let [op, url, to, ..] = &words[..]
                    && op == "DOWNLOAD"
                {
                    line = format!("curl -o {} {}", quoted(to), quoted(url));
                }
            }
            "include" => {
                if let Some(path) = words.first().filter(|p| p.contains('/') || p.contains('.')) {
                    line = format!("source {}", quoted(path));
                }
            }
            _ => {}
        }
        if !line.is_empty() {
            first.get_or_insert(begins);
            let line = line
                .replace("${CMAKE_CURRENT_SOURCE_DIR}/", "")
                .replace("${CMAKE_SOURCE_DIR}/", "")
                .replace("${PROJECT_SOURCE_DIR}/", "")
                .replace("${CMAKE_CURRENT_LIST_DIR}/", "")
                .replace("${CMAKE_COMMAND} -E env ", "")
                .replace("${CMAKE_COMMAND} -P ", "source ");
            let line = line
                .replace("<DOWNLOAD_DIR>/", "")
                .replace("<SOURCE_DIR>/", "")
                .replace("<BINARY_DIR>/", "");
            let line = line
                .replace("${Python3_EXECUTABLE}", "python3")
                .replace("${Python_EXECUTABLE}", "python3")
                .replace("${PYTHON_EXECUTABLE}", "python3");
            script.push_str(&line);
            script.push('\n');
        }
    }
    if let Some(at) = first {
        surface.command(Fires::Build, number, u32::try_from(at).unwrap_or(0), script);
    }
}

/// Where the bracket that is open closes, strings and comments left out.
fn closing(text: &str) -> usize {
    let (mut depth, mut quoted, mut comment, mut escaped) = (1, false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            '\n' => comment = false,
            _ if comment => {}
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '#' => comment = true,
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// `//go:generate command`
fn generate(surface: &mut Surface, number: usize, file: &File) {
    let mut at = 0_usize;
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    for line in file.text().split_inclusive('\n') {
        if let Some(command) = line.strip_prefix("//go:generate ") {
            let mut command = command.trim().to_owned();
            if let Some(rest) = command.strip_prefix("-command ") {
                if let Some((name, value)) = rest.trim().split_once(' ') {
                    aliases.insert(name.to_owned(), value.to_owned());
                }
            } else {
                let name = command.split(' ').next().unwrap_or_default().to_owned();
                if let Some(value) = aliases.get(&name) {
                    command = command.replacen(&name, value, 1);
                }
                surface.command(Fires::Build, number, u32::try_from(at).unwrap_or(0), command);
            }
        }
        at += line.len();
    }
}

/// `build.rs`, or whatever the manifest names instead, and procedural macros.
fn cargo(surface: &mut Surface, tree: &Tree, number: usize, file: &File) {
    let Ok(toml) = toml::from_str::<Json>(&file.text()) else {
        return surface.miss(file, "unparsable settings");
    };
    let folder = file.path.strip_suffix(file.name()).unwrap_or_default();
    let build = toml.pointer("/package/build").and_then(Json::as_str).unwrap_or("build.rs");
    let path = crate::assemble::normal(&format!("{folder}{build}"));
    if tree.files.iter().any(|f| f.path == path) {
        surface.runs(Fires::Build, number, place(file, build), vec![path]);
    }
    let is_macro = toml
        .pointer("/lib/proc-macro")
        .or_else(|| toml.pointer("/lib/proc_macro"))
        .and_then(Json::as_bool)
        == Some(true);
    if is_macro {
        // All of its sources may run in the compiler.
        let runs = tree
            .files
            .iter()
            .map(|f| f.path.clone())
            .filter(|p| p.starts_with(&format!("{folder}src/")) && p.ends_with(".rs"))
            .collect();
        surface.runs(Fires::Build, number, place(file, "proc-macro"), runs);
    }
}

fn cargo_settings(surface: &mut Surface, number: usize, file: &File) {
    let Ok(toml) = toml::from_str::<Json>(&file.text()) else {
        return surface.miss(file, "unparsable settings");
    };
    let mut open = vec![(String::new(), &toml)];
    while let Some((key, value)) = open.pop() {
        match value {
            Json::Object(map) => open.extend(map.iter().map(|(k, v)| (k.clone(), v))),
            Json::String(text)
                if matches!(
                    key.as_str(),
                    "rustc-wrapper"
                        | "rustc-workspace-wrapper"
                        | "runner"
                        | "linker"
                        | "rustc"
                        | "rustdoc"
                        | "credential-process"
                ) =>
            {
                surface.command(Fires::Build, number, place(file, text), text.clone());
            }
            Json::Array(_) if matches!(key.as_str(), "runner" | "linker") => {
                for command in super::commands_of(value) {
                    surface.command(Fires::Build, number, place(file, &key), command);
                }
            }
            _ => {}
        }
    }
}
