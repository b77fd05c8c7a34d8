//! npm and the tools around it: scripts by when they run, settings that are code.

use serde_json::Value as Json;

use super::{Point, Seen, Surface, json_or_miss, place, within};
use crate::assemble::normal;
use crate::finding::Fires;
use crate::rules;
use crate::tree::{File, Tree};

/// Scripts that installers run. `prepare` runs where the package itself is worked on.
const INSTALL: [&str; 9] = [
    "preinstall",
    "install",
    "postinstall",
    "prepare",
    "prepublish",
    "preprepare",
    "postprepare",
    "dependencies",
    "prepack",
];

/// Looks at a file.
pub fn look(surface: &mut Surface, tree: &Tree, number: usize, file: &File) {
    let name = file.name();
    match name {
        "package.json" => {
            if let Some(json) = json_or_miss(surface, file) {
                package(surface, number, file, &json);
            }
        }
        ".npmrc" | ".yarnrc" => settings(surface, number, file),
        ".yarnrc.yml" => {
            if let Some(path) = value_of(&file.text(), "yarnPath:") {
                let folder = file.path.strip_suffix(name).unwrap_or_default();
                let path = normal(&format!("{folder}{path}"));
                if !path.contains(".yarn/releases/yarn-")
                    || !tree.files.iter().any(|f| f.path == path)
                {
                    surface.runs(Fires::Install, number, 0, vec![path]);
                }
            }
            if file.text().contains("plugins:") {
                let folder = file.path.strip_suffix(name).unwrap_or_default();
                let paths = file
                    .text()
                    .lines()
                    .filter_map(|l| l.split_once("path:"))
                    .map(|(_, p)| p.trim().trim_matches('"').to_owned())
                    .collect::<Vec<_>>();
                let runs = paths.iter().map(|p| normal(&format!("{folder}{p}"))).collect();
                surface.runs(Fires::Install, number, 0, runs);
            }
        }
        ".pnpmfile.cjs" | "pnpmfile.js" | ".pnpmfile.mjs" => {
            surface.runs(Fires::Install, number, 0, vec![file.path.clone()]);
        }
        "binding.gyp" => gyp(surface, number, file),
        _ => {
            if let Some(fires) = config(name) {
                surface.runs(fires, number, 0, vec![file.path.clone()]);
            }
        }
    }
    if within(&file.path, ".husky/") && !file.path.contains("/_/") && !name.contains('.') {
        surface.command(Fires::Git, number, 0, file.text());
        if let Some(point) = surface.points.last_mut() {
            point.on_open = false;
        }
    }
}

/// Settings of tools that are code, by when the tool runs.
fn config(name: &str) -> Option<Fires> {
    let stem = name.split('.').next().unwrap_or(name);
    let is_code = [".js", ".ts", ".mjs", ".cjs", ".mts", ".cts"].iter().any(|e| name.ends_with(e));
    if !is_code {
        return None;
    }
    let is_config = name.contains(".config.") || name.contains(".setup.") || name.contains("rc.");
    match stem {
        "jest" | "vitest" | "playwright" | "karma" | "cypress" | "wdio" | "ava" | "nightwatch"
        | "protractor"
            if is_config || name.contains(".conf.") =>
        {
            Some(Fires::Test)
        }
        "setupTests" | "jestSetup" | "vitestSetup" => Some(Fires::Test),
        "vite" | "webpack" | "rollup" | "next" | "nuxt" | "tailwind" | "postcss" | "babel"
        | "svelte" | "astro" | "esbuild" | "tsup" | "craco" | "vue" | "metro" | "snowpack"
        | "rspack" | "remix" | "gatsby-config" | "gatsby-node" | "angular" | "parcel"
        | "drizzle" | "hardhat" | "truffle" | "truffle-config" | "stylelint" | "prettier"
        | "eslint" | "commitlint" | "lint-staged" | "svgo" | "windi" | "uno" | "gulpfile"
        | "Gruntfile" | "quasar" => Some(Fires::Build),
        "" if name.starts_with(".eslintrc")
            || name.starts_with(".prettierrc")
            || name.starts_with(".babelrc")
            || name.starts_with(".lintstagedrc")
            || name.starts_with(".commitlintrc")
            || name.starts_with(".stylelintrc") =>
        {
            Some(Fires::Build)
        }
        "" if name.starts_with(".mocharc") => Some(Fires::Test),
        _ => None,
    }
}

fn package(surface: &mut Surface, number: usize, file: &File, json: &Json) {
    let scripts = json.get("scripts").and_then(Json::as_object).cloned().unwrap_or_default();
    let folder = file.path.strip_suffix("package.json").unwrap_or_default();
    let text = |value: Option<&Json>| value.and_then(Json::as_str).map(str::to_owned);
    let entry = text(json.get("main"));
    let start = scripts.get("start").and_then(Json::as_str).unwrap_or_default().to_owned();
    for (name, command) in &scripts {
        let Some(command) = command.as_str() else { continue };
        let plain = name.trim_start_matches("pre").trim_start_matches("post");
        let fires = match name.as_str() {
            name if INSTALL.contains(&name) => Fires::Install,
            _ if plain == "test" || plain == "jest" || name.starts_with("test:") => Fires::Test,
            _ if plain == "build" || plain == "compile" || name.starts_with("build:") => {
                Fires::Build
            }
            _ => Fires::Run,
        };
        let at = place(file, command);
        surface.points.push(Point {
            fires,
            file: number,
            at,
            command: Some(command.to_owned()),
            runs: Vec::new(),
            on_open: false,
            name: Some(name.clone()),
        });
        let words: Vec<&str> =
            command.split([' ', '&', ';', '|']).filter(|w| !w.is_empty()).collect();
        let is_entry = |word: &&str| {
            let word = word.trim_start_matches("./");
            let stem = |p: &str| {
                p.trim_start_matches("./")
                    .trim_end_matches(".js")
                    .trim_end_matches(".ts")
                    .trim_end_matches("/index")
                    .to_owned()
            };
            let runs_main = entry.as_deref().is_some_and(|main| stem(main) == stem(word));
            let runs_start =
                start.split_whitespace().any(|s| !s.is_empty() && stem(s) == stem(word))
                    && word.contains('.');
            (runs_main || runs_start) && !word.starts_with('-')
        };
        let starts = words.iter().any(|w| {
            matches!(
                *w,
                "node" | "nodemon" | "ts-node" | "tsx" | "bun" | "deno" | "python" | "python3"
            )
        }) && words.iter().any(is_entry)
            || words.windows(2).any(|w| matches!(w, ["npm" | "yarn" | "pnpm", "start"]))
            || words
                .windows(3)
                .any(|w| matches!(w, ["npm" | "yarn" | "pnpm", "run", "start" | "dev" | "serve"]));
        if fires == Fires::Install && starts {
            let what = format!("`{name}` starts the application itself: `{command}`");
            surface.seen.push(Seen::medium(
                &rules::install_starts_app::RULE,
                (number, at),
                Fires::Install,
                what,
            ));
        }
    }
    // Tools that have their settings here.
    for (pointer, fires) in [
        ("/jest/setupFiles", Fires::Test),
        ("/jest/setupFilesAfterEach", Fires::Test),
        ("/jest/setupFilesAfterEnv", Fires::Test),
        ("/jest/globalSetup", Fires::Test),
        ("/jest/globalTeardown", Fires::Test),
        ("/jest/testEnvironment", Fires::Test),
        ("/jest/runner", Fires::Test),
        ("/jest/reporters", Fires::Test),
        ("/mocha/require", Fires::Test),
        ("/ava/require", Fires::Test),
        ("/nyc/require", Fires::Test),
        ("/babel/plugins", Fires::Build),
        ("/eslintConfig/plugins", Fires::Build),
        ("/eslintConfig/extends", Fires::Build),
        ("/prettier", Fires::Build),
    ] {
        let mut runs = Vec::new();
        let mut open: Vec<&Json> = json.pointer(pointer).into_iter().collect();
        while let Some(value) = open.pop() {
            match value {
                Json::String(path) if path.starts_with('.') || path.contains("<rootDir>") => {
                    runs.push(normal(&format!("{folder}{}", path.replace("<rootDir>/", ""))));
                }
                Json::Array(all) => open.extend(all),
                Json::Object(_)
                | Json::String(_)
                | Json::Null
                | Json::Bool(_)
                | Json::Number(_) => {}
            }
        }
        if !runs.is_empty() {
            surface.runs(fires, number, 0, runs);
        }
    }
    if let Some(hooks) = json
        .pointer("/husky/hooks")
        .or_else(|| json.get("simple-git-hooks"))
        .or_else(|| json.get("gitHooks"))
    {
        for command in super::commands_of(hooks) {
            surface.command(Fires::Git, number, place(file, &command), command.clone());
        }
    }
    if let Some(staged) = json.get("lint-staged").and_then(Json::as_object) {
        for value in staged.values() {
            let all: Vec<String> = match value {
                Json::Array(all) => {
                    all.iter().filter_map(Json::as_str).map(str::to_owned).collect()
                }
                other => super::commands_of(other),
            };
            for command in all {
                surface.command(Fires::Git, number, place(file, &command), command.clone());
            }
        }
    }
}

fn value_of(text: &str, key: &str) -> Option<String> {
    text.lines()
        .find_map(|l| l.trim().strip_prefix(key))
        .map(|v| v.trim().trim_matches('"').trim_matches('\'').to_owned())
}

/// Settings of npm that make it run something.
fn settings(surface: &mut Surface, number: usize, file: &File) {
    for line in file.text().lines() {
        let Some((key, value)) = line.split_once('=').or_else(|| line.split_once(' ')) else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        let inside = value.starts_with("./")
            || value.contains("/") && !value.contains("://") && !value.starts_with('/');
        match key {
            "script-shell" | "git" | "shell" | "editor" | "viewer" | "yarn-path"
            | "init-module" | "node-gyp" | "prefix-hook"
                if inside =>
            {
                let what = format!("`{key}` is a program of the folder itself: `{value}`");
                surface.seen.push(Seen::medium(
                    &rules::tool_setting::RULE,
                    (number, place(file, line)),
                    Fires::Install,
                    what,
                ));
                surface.runs(Fires::Install, number, place(file, line), vec![value.to_owned()]);
            }
            "node-options" | "onload-script" => {
                surface.command(Fires::Install, number, place(file, line), format!("node {value}"));
                let what = format!("every run of Node.js by npm gets `{value}`");
                surface.seen.push(Seen::medium(
                    &rules::tool_setting::RULE,
                    (number, place(file, line)),
                    Fires::Install,
                    what,
                ));
            }
            _ => {}
        }
    }
}

/// Commands in a build description of node-gyp: `<!(command)`, and actions.
fn gyp(surface: &mut Surface, number: usize, file: &File) {
    let text = file.text();
    for (at, _) in text.match_indices("<!") {
        let rest = text
            .get(at..)
            .unwrap_or_default()
            .trim_start_matches("<!@")
            .trim_start_matches("<!")
            .trim_start_matches('@');
        let Some(rest) = rest.strip_prefix('(') else { continue };
        let mut depth = 1;
        let end = rest.char_indices().find_map(|(nth, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            (depth == 0).then_some(nth)
        });
        if let Some(command) = end.and_then(|end| rest.get(..end)) {
            let command = command.replace("\\\"", "\"");
            surface.command(Fires::Install, number, u32::try_from(at).unwrap_or(0), command);
        }
    }
    for part in text.split("action\"").chain(text.split("action'")).skip(1) {
        let words = part.split(']').next().unwrap_or_default();
        if let Some((_, words)) = words.split_once('[') {
            let line: Vec<&str> = words
                .split(['"', '\'', ',', '\n'])
                .map(str::trim)
                .filter(|w| !w.is_empty())
                .collect();
            surface.command(Fires::Install, number, 0, line.join(" "));
        }
    }
}
