//! Editors and agents: tasks and hooks that run when a folder is opened, settings that lead to programs in it.

use serde_json::Value as Json;

use super::{Seen, Surface, commands_of, ends, json_or_miss, place, quoted, text_of, within};
use crate::finding::Fires;
use crate::rules;
use crate::tree::{File, Tree};

/// Folders of agents, whose settings name commands under any key.
const AGENTS: [&str; 9] = [
    ".claude/",
    ".cursor/",
    ".gemini/",
    ".codex/",
    ".windsurf/",
    ".zed/",
    ".kiro/",
    ".roo/",
    ".continue/",
];

/// Looks at a file.
pub fn look(surface: &mut Surface, tree: &Tree, number: usize, file: &File) {
    let path = file.path.as_str();
    let name = file.name();
    if ends(path, ".vscode/tasks.json") {
        tasks(surface, number, file);
    } else if ends(path, ".vscode/settings.json") || name.ends_with(".code-workspace") {
        settings(surface, tree, number, file);
    } else if ends(path, ".vscode/launch.json") {
        launches(surface, number, file);
    } else if name.ends_with("devcontainer.json") {
        devcontainer(surface, number, file);
    } else if within(path, ".idea/") || within(path, ".run/") {
        jetbrains(surface, tree, number, file);
    } else if name == ".envrc" {
        surface.command(Fires::Open, number, 0, file.text());
    } else if name == ".mcp.json"
        || ends(path, ".vscode/mcp.json")
        || name.ends_with(".json") && AGENTS.iter().any(|a| within(path, a))
    {
        if let Some(json) = json_or_miss(surface, file) {
            agent(surface, number, file, &json, 0);
        }
    } else if name == "mise.toml" || name == ".mise.toml" {
        mise(surface, number, file);
    } else if name == ".exrc" || name == ".nvim.lua" || name == ".vimrc" || name == ".dir-locals.el"
    {
        surface.miss(file, "a script of an editor is not read");
    }
}

fn opened(task: &Json) -> bool {
    task.pointer("/runOptions/runOn").and_then(Json::as_str) == Some("folderOpen")
}

/// Tasks of VS Code. A task that runs on opening runs those that it depends on.
fn tasks(surface: &mut Surface, number: usize, file: &File) {
    let Some(json) = json_or_miss(surface, file) else { return };
    let tasks = json.get("tasks").and_then(Json::as_array).cloned().unwrap_or_default();
    let label = |task: &Json| {
        task.get("label").or_else(|| task.get("taskName")).and_then(Json::as_str).map(str::to_owned)
    };
    let mut on_open: Vec<bool> = tasks.iter().map(opened).collect();
    for _ in 0..tasks.len() {
        for nth in 0..tasks.len() {
            if on_open.get(nth) != Some(&true) {
                continue;
            }
            let needs: Vec<String> = match tasks.get(nth).and_then(|t| t.get("dependsOn")) {
                Some(Json::String(one)) => vec![one.clone()],
                Some(Json::Array(all)) => {
                    all.iter().filter_map(Json::as_str).map(str::to_owned).collect()
                }
                _ => Vec::new(),
            };
            for (other, task) in tasks.iter().enumerate() {
                if label(task).is_some_and(|l| needs.contains(&l))
                    && let Some(flag) = on_open.get_mut(other)
                {
                    *flag = true;
                }
            }
        }
    }
    for (task, on_open) in tasks.iter().zip(on_open) {
        let fires = if on_open { Fires::Open } else { Fires::Run };
        for platform in ["", "/windows", "/osx", "/linux"] {
            let Some(command) = task.pointer(&format!("{platform}/command")).and_then(text_of)
            else {
                continue;
            };
            let args = task.pointer(&format!("{platform}/args")).or_else(|| task.get("args"));
            let args = args.and_then(Json::as_array).into_iter().flatten().filter_map(text_of);
            // A process gets its words as they are, a shell one line.
            let is_process = task.get("type").and_then(Json::as_str) == Some("process");
            let args: Vec<String> = match is_process {
                true => args.map(|a| quoted(&a)).collect(),
                false => args.map(|a| if a.contains(' ') { quoted(&a) } else { a }).collect(),
            };
            let line = [vec![command.clone()], args].concat().join(" ");
            surface.command(fires, number, place(file, &command), line);
        }
        if let Some(script) = task.get("script").and_then(Json::as_str) {
            let line = format!("npm run {script}");
            surface.command(fires, number, place(file, script), line);
        }
    }
    if let Some(shell) = json.pointer("/options/shell/executable").and_then(Json::as_str) {
        surface.command(Fires::Run, number, place(file, shell), shell);
    }
}

/// Settings of VS Code that lead to programs, or take protection away.
fn settings(surface: &mut Surface, tree: &Tree, number: usize, file: &File) {
    let Some(json) = json_or_miss(surface, file) else { return };
    let json = json.get("settings").cloned().unwrap_or(json);
    let mut open = vec![(String::new(), &json)];
    while let Some((key, value)) = open.pop() {
        match value {
            Json::Object(map) => {
                for (inner, value) in map {
                    let full =
                        if key.is_empty() { inner.clone() } else { format!("{key}.{inner}") };
                    open.push((full, value));
                }
            }
            Json::Array(all) => open.extend(all.iter().map(|v| (key.clone(), v))),
            Json::String(text) => setting(surface, tree, number, file, &key, text),
            Json::Bool(false) if key == "security.workspace.trust.enabled" => {
                let what = "asks nobody before it trusts a folder".to_owned();
                surface.seen.push(editor_seen(number, place(file, &key), what));
            }
            _ => {}
        }
    }
    if json.get("task.allowAutomaticTasks").and_then(Json::as_str) == Some("on") {
        let what = "lets tasks run without a question".to_owned();
        surface.seen.push(editor_seen(number, place(file, "task.allowAutomaticTasks"), what));
    }
}

fn editor_seen(number: usize, at: u32, what: String) -> Seen {
    Seen::medium(&rules::editor_setting::RULE, (number, at), Fires::Open, what)
}

fn setting(surface: &mut Surface, tree: &Tree, number: usize, file: &File, key: &str, text: &str) {
    const ENVIRONMENT: [&str; 8] = [
        "BASH_ENV",
        "NODE_OPTIONS",
        "PYTHONSTARTUP",
        "LD_PRELOAD",
        "PROMPT_COMMAND",
        "DYLD_INSERT_LIBRARIES",
        "ENV",
        "PYTHONPATH",
    ];
    let at = || place(file, text);
    let last = key.rsplit('.').next().unwrap_or(key).to_lowercase();
    let in_tree = text
        .trim_start_matches("${workspaceFolder}/")
        .trim_start_matches("${workspaceRoot}/")
        .trim_start_matches("./");
    let is_inside = in_tree != text
        && !in_tree.starts_with(".venv/")
        && !in_tree.starts_with("venv/")
        && !in_tree.starts_with("node_modules/");
    let is_file = tree.files.iter().any(|f| ends(&f.path, in_tree));
    let names_program = last.ends_with("path")
        || last.contains("executable")
        || last.contains("binary")
        || last == "shell";
    if ENVIRONMENT.iter().any(|e| key.ends_with(&format!(".{e}"))) && key.contains("env") {
        let what = format!("every terminal gets `{last}` = `{text}`");
        surface.seen.push(editor_seen(number, at(), what));
        let runs = vec![text.split_whitespace().last().unwrap_or(text).to_owned()];
        surface.runs(Fires::Open, number, at(), runs);
    } else if names_program && (is_file || is_inside && text.contains('/')) && looks_run(in_tree) {
        let what = format!("`{key}` is a program of the folder itself: `{text}`");
        surface.seen.push(editor_seen(number, at(), what));
        surface.runs(Fires::Open, number, at(), vec![in_tree.to_owned()]);
    } else if last == "cmd"
        || last == "command"
        || last == "commands"
        || last.ends_with("args")
        || last.contains("onsave")
        || last.contains("startup")
    {
        let runs = text.contains(' ') || is_file || text.contains('/');
        if runs
            && (key.contains("run")
                || key.contains("terminal")
                || key.contains("command")
                || key.contains("cmd"))
        {
            surface.command(Fires::Open, number, at(), text);
        }
    }
}

/// Whether a name may be a program's or a script's.
fn looks_run(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((_, e)) => matches!(
            e,
            "sh" | "js"
                | "mjs"
                | "cjs"
                | "py"
                | "bat"
                | "cmd"
                | "ps1"
                | "exe"
                | "bin"
                | "rb"
                | "pl"
        ),
        None => !path.ends_with('/'),
    }
}

/// Configurations that run when somebody asks for it.
fn launches(surface: &mut Surface, number: usize, file: &File) {
    let Some(json) = json_or_miss(surface, file) else { return };
    let all = json.get("configurations").and_then(Json::as_array).cloned().unwrap_or_default();
    for one in &all {
        let text = |key: &str| one.get(key).and_then(Json::as_str);
        let list = |key: &str| {
            let items = one.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
            items.iter().filter_map(Json::as_str).map(quoted).collect::<Vec<_>>()
        };
        let kind = text("type").unwrap_or_default();
        let program =
            text("runtimeExecutable").or_else(|| text("python")).or_else(|| text("command"));
        let default = match kind {
            "python" | "debugpy" => "python3",
            "node" | "pwa-node" | "node-terminal" => "node",
            _ => "",
        };
        let mut words = vec![match (program, text("command")) {
            (Some(program), _) => program.to_owned(),
            (None, _) => default.to_owned(),
        }];
        words.extend(list("runtimeArgs"));
        words.extend(text("program").or_else(|| text("file")).map(quoted));
        words.extend(list("args"));
        let line = words.join(" ");
        if line.trim().len() > default.len() {
            let at = place(file, text("name").unwrap_or("configurations"));
            surface.command(Fires::Run, number, at, line.trim());
        }
    }
}

fn devcontainer(surface: &mut Surface, number: usize, file: &File) {
    let Some(json) = json_or_miss(surface, file) else { return };
    for (key, fires) in [
        ("initializeCommand", Fires::Open),
        ("onCreateCommand", Fires::Container),
        ("updateContentCommand", Fires::Container),
        ("postCreateCommand", Fires::Container),
        ("postStartCommand", Fires::Container),
        ("postAttachCommand", Fires::Container),
    ] {
        for command in json.get(key).map(commands_of).unwrap_or_default() {
            surface.command(fires, number, place(file, key), command);
        }
    }
    super::containers::access(surface, number, file, &json);
}

/// Run configurations are XML; commands and scripts stand in the values of options.
fn jetbrains(surface: &mut Surface, tree: &Tree, number: usize, file: &File) {
    if !file.name().ends_with(".xml") && !file.name().ends_with(".iml") {
        return;
    }
    let text = file.text();
    let folder = file.path.split(".idea/").next().unwrap_or_default();
    // What is started with the project is named there.
    let startup = tree.files.iter().find(|f| f.path == format!("{folder}.idea/startup.xml"));
    let own = attributes(&text, "<configuration ").into_iter().find_map(|a| a.get("name").cloned());
    let starts = startup.is_some_and(|s| {
        own.as_deref().is_some_and(|name| {
            !name.is_empty() && s.text().contains(&format!("name=\"{}\"", xml(name)))
        })
    });
    let fires = if starts { Fires::Open } else { Fires::Run };
    let mut words: Vec<(String, String)> = Vec::new();
    for option in attributes(&text, "<option ").into_iter().chain(attributes(&text, "<envs")) {
        if let (Some(name), Some(value)) = (option.get("name"), option.get("value")) {
            words.push((name.clone(), value.clone()));
        }
    }
    for tag in
        ["<javascript-file", "<node-interpreter", "<script ", "<package-json", "<configuration "]
    {
        for found in attributes(&text, tag) {
            for (key, value) in &found {
                words
                    .push((format!("{}@{key}", tag.trim_start_matches('<').trim()), value.clone()));
            }
        }
    }
    let get = |names: &[&str]| {
        words
            .iter()
            .find(|(n, v)| names.contains(&n.as_str()) && !v.is_empty())
            .map(|(_, v)| v.clone())
    };
    let interpreter =
        get(&["INTERPRETER_PATH", "SDK_HOME", "interpreterPath", "PROGRAM", "COMMAND"]);
    let options = get(&[
        "INTERPRETER_OPTIONS",
        "node-parameters",
        "NODE_PARAMETERS",
        "configuration@node-parameters",
    ]);
    let script = get(&[
        "SCRIPT_TEXT",
        "SCRIPT_PATH",
        "SCRIPT_NAME",
        "configuration@path-to-js-file",
        "path-to-js-file",
        "javascript-file@value",
    ]);
    let args = get(&[
        "SCRIPT_OPTIONS",
        "PARAMETERS",
        "application-parameters",
        "configuration@application-parameters",
        "ARGUMENTS",
    ]);
    let default = match text.contains("Python") {
        true => Some("python3".to_owned()),
        false if text.contains("NodeJS") => Some("node".to_owned()),
        false => None,
    };
    if words.iter().any(|(n, v)| n == "SCRIPT_TEXT" && !v.is_empty()) {
        if let Some(script) = &script {
            surface.command(fires, number, place(file, &xml(script)), script.clone());
        }
    } else if script.is_some() || interpreter.is_some() && (args.is_some() || options.is_some()) {
        let line: Vec<String> =
            [interpreter.or(default), options, script, args].into_iter().flatten().collect();
        let line = line.join(" ").replace("$PROJECT_DIR$/", "").replace("$ContentRoot$/", "");
        surface.command(fires, number, 0, line);
    }
    // External tools and watchers run when files change.
    for task in attributes(&text, "<TaskOptions") {
        drop(task);
        let program = get(&["program"]);
        let line =
            [program, get(&["arguments"])].into_iter().flatten().collect::<Vec<_>>().join(" ");
        if !line.is_empty() {
            surface.command(Fires::Open, number, 0, line.replace("$ProjectFileDir$/", ""));
        }
    }
    let script = attributes(&text, "<script ").into_iter().find_map(|a| a.get("value").cloned());
    if let Some(script) = script.filter(|_| text.contains("js.build_tools.npm")) {
        surface.command(fires, number, 0, format!("npm run {script}"));
    }
}

/// Attributes of every tag that begins so, unescaped.
fn attributes(text: &str, tag: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut found = Vec::new();
    for part in text.split(tag).skip(1) {
        let Some(end) = part.find('>') else { continue };
        let mut all = std::collections::BTreeMap::new();
        let mut rest = part.get(..end).unwrap_or_default();
        while let Some((key, after)) = rest.split_once("=\"") {
            let Some((value, next)) = after.split_once('"') else { break };
            let key = key.trim().trim_start_matches('/').to_owned();
            all.insert(key, unescaped(value));
            rest = next;
        }
        found.push(all);
    }
    found
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#10;", "\n")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Commands under any key of an agent's settings: hooks, servers, status lines.
fn agent(surface: &mut Surface, number: usize, file: &File, json: &Json, depth: u32) {
    match json {
        Json::Object(map) if depth < 16 => {
            let command = map.get("command").and_then(|c| match c {
                Json::String(text) => Some(text.clone()),
                Json::Array(_) => commands_of(c).pop(),
                Json::Object(inner) => inner.get("path").and_then(Json::as_str).map(str::to_owned),
                _ => None,
            });
            if let Some(command) = command {
                let args = map.get("args").and_then(Json::as_array).cloned().unwrap_or_default();
                let args = args.iter().filter_map(Json::as_str).map(quoted);
                let line: Vec<String> = std::iter::once(command.clone()).chain(args).collect();
                surface.command(Fires::Open, number, place(file, &command), line.join(" "));
            }
            for key in ["apiKeyHelper", "awsAuthRefresh", "otelHeadersHelper"] {
                if let Some(command) = map.get(key).and_then(Json::as_str) {
                    surface.command(Fires::Open, number, place(file, command), command);
                }
            }
            map.values().for_each(|v| agent(surface, number, file, v, depth + 1));
        }
        Json::Array(all) => all.iter().for_each(|v| agent(surface, number, file, v, depth + 1)),
        _ => {}
    }
}

/// Hooks of mise run when a shell enters the folder.
fn mise(surface: &mut Surface, number: usize, file: &File) {
    let Ok(toml) = toml::from_str::<Json>(&file.text()) else {
        return surface.miss(file, "unparsable settings");
    };
    for (key, fires) in [("hooks", Fires::Open), ("tasks", Fires::Run)] {
        for command in toml.get(key).map(commands_of).unwrap_or_default() {
            surface.command(fires, number, place(file, key), command);
        }
    }
}
