//! Python: what runs at installation, when tests are collected, when the interpreter starts.

use serde_json::Value as Json;

use super::{Surface, place};
use crate::assemble::normal;
use crate::finding::Fires;
use crate::tree::{File, Tree};

/// Looks at a file.
pub fn look(surface: &mut Surface, tree: &Tree, number: usize, file: &File) {
    let name = file.name();
    if let Some(fires) = runs_itself(&file.path, name) {
        surface.runs(fires, number, 0, vec![file.path.clone()]);
    }
    match name {
        "pyproject.toml" => project(surface, tree, number, file),
        "setup.cfg" | "tox.ini" | "pytest.ini" => ini(surface, tree, number, file),
        ".pre-commit-config.yaml" => pre_commit(surface, number, file),
        _ => {}
    }
}

/// Files that tools run by their names.
fn runs_itself(path: &str, name: &str) -> Option<Fires> {
    match name {
        "setup.py" | "hatch_build.py" | "build_backend.py" => Some(Fires::Install),
        "conftest.py" => Some(Fires::Test),
        "sitecustomize.py" | "usercustomize.py" => Some(Fires::Install),
        "noxfile.py" => Some(Fires::Test),
        "manage.py" | "wsgi.py" | "asgi.py" => Some(Fires::Run),
        name if name.ends_with(".pth") => Some(Fires::Install),
        name if name.ends_with(".py") && path.contains(".ipython/profile_default/startup/") => {
            Some(Fires::Open)
        }
        _ => None,
    }
}

/// The file of a module, from the folder of who names it or from anywhere.
fn module_file(tree: &Tree, folder: &str, module: &str) -> Vec<String> {
    let module =
        module.split(':').next().unwrap_or(module).split('[').next().unwrap_or(module).trim();
    let path = module.replace('.', "/");
    if path.is_empty() {
        return Vec::new();
    }
    let ends = [format!("{path}.py"), format!("{path}/__init__.py")];
    let folders = [folder.to_owned(), format!("{folder}src/")];
    let direct = folders.iter().flat_map(|f| ends.iter().map(move |e| normal(&format!("{f}{e}"))));
    let found: Vec<String> = direct.filter(|p| tree.files.iter().any(|f| f.path == *p)).collect();
    if !found.is_empty() {
        return found;
    }
    tree.files
        .iter()
        .filter(|f| ends.iter().any(|e| super::ends(&f.path, e)))
        .map(|f| f.path.clone())
        .take(4)
        .collect()
}

fn project(surface: &mut Surface, tree: &Tree, number: usize, file: &File) {
    let Ok(toml) = toml::from_str::<Json>(&file.text()) else {
        return surface.miss(file, "unparsable settings");
    };
    let folder = file.path.strip_suffix(file.name()).unwrap_or_default();
    if let Some(backend) = toml.pointer("/build-system/build-backend").and_then(Json::as_str) {
        let mut runs = Vec::new();
        let above = toml
            .pointer("/build-system/backend-path")
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default();
        for path in above.iter().filter_map(Json::as_str) {
            runs.extend(module_file(
                tree,
                &normal(&format!("{folder}{path}")).as_str().to_owned().add_slash(),
                backend,
            ));
        }
        if runs.is_empty() && !above.is_empty() {
            runs = module_file(tree, folder, backend);
        }
        surface.runs(Fires::Install, number, place(file, backend), runs);
    }
    let text = |pointer: &str| toml.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
    for pointer in [
        "/tool/poetry/build/script",
        "/tool/pdm/build/setup-script",
        "/tool/pdm/build/run-setup",
        "/tool/hatch/build/hooks/custom/path",
        "/tool/hatch/metadata/hooks/custom/path",
    ] {
        if let Some(script) = text(pointer) {
            let path = normal(&format!("{folder}{script}"));
            surface.runs(Fires::Install, number, place(file, &script), vec![path]);
        }
    }
    let attributes = toml.pointer("/tool/setuptools/dynamic").into_iter();
    for value in attributes.filter_map(Json::as_object).flat_map(|m| m.values()) {
        if let Some(attr) = value.get("attr").and_then(Json::as_str) {
            let module = attr.rsplit_once('.').map_or(attr, |(module, _)| module);
            surface.runs(
                Fires::Install,
                number,
                place(file, attr),
                module_file(tree, folder, module),
            );
        }
    }
    let commands = toml.pointer("/tool/setuptools/cmdclass").and_then(Json::as_object);
    for class in commands.into_iter().flat_map(|m| m.values()).filter_map(Json::as_str) {
        let module = class.rsplit_once('.').map_or(class, |(module, _)| module);
        surface.runs(Fires::Install, number, place(file, class), module_file(tree, folder, module));
    }
    if let Some(options) = toml.pointer("/tool/pytest/ini_options") {
        let words = |value: Option<&Json>| match value {
            Some(Json::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
            Some(Json::Array(all)) => {
                all.iter().filter_map(Json::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        pytest(surface, tree, number, file, &words(options.get("addopts")));
    }
    for pointer in ["/project/entry-points/pytest11", "/tool/poetry/plugins/pytest11"] {
        for module in
            toml.pointer(pointer).and_then(Json::as_object).into_iter().flat_map(|m| m.values())
        {
            if let Some(module) = module.as_str() {
                surface.runs(
                    Fires::Test,
                    number,
                    place(file, module),
                    module_file(tree, folder, module),
                );
            }
        }
    }
    for (pointer, fires) in [
        ("/tool/pdm/scripts", Fires::Run),
        ("/tool/poe/tasks", Fires::Run),
        ("/tool/taskipy/tasks", Fires::Run),
        ("/tool/hatch/envs/default/scripts", Fires::Run),
        ("/tool/hatch/envs/default/post-install-commands", Fires::Install),
        ("/tool/hatch/envs/default/pre-install-commands", Fires::Install),
        ("/tool/cibuildwheel/before-build", Fires::Build),
    ] {
        for command in toml.pointer(pointer).map(super::commands_of).unwrap_or_default() {
            surface.command(fires, number, place(file, &command), command.clone());
        }
    }
    for hook in ["post_install", "pre_install", "post_lock", "post_build", "pre_build"] {
        if let Some(script) = toml.pointer(&format!("/tool/pdm/scripts/{hook}")) {
            for command in super::commands_of(script) {
                surface.command(Fires::Install, number, place(file, &command), command.clone());
            }
        }
    }
}

trait AddSlash {
    fn add_slash(self) -> String;
}

impl AddSlash for String {
    fn add_slash(self) -> String {
        if self.is_empty() { self } else { format!("{self}/") }
    }
}

/// `-p module` among the options of pytest.
fn pytest(surface: &mut Surface, tree: &Tree, number: usize, file: &File, words: &[String]) {
    let folder = file.path.strip_suffix(file.name()).unwrap_or_default();
    for (nth, word) in words.iter().enumerate() {
        let module = match word.strip_prefix("-p") {
            Some("") => words.get(nth + 1).cloned(),
            Some(module) => Some(module.to_owned()),
            None => None,
        };
        if let Some(module) = module.filter(|m| !m.starts_with("no:")) {
            surface.runs(
                Fires::Test,
                number,
                place(file, &module),
                module_file(tree, folder, &module),
            );
        }
    }
}

fn ini(surface: &mut Surface, tree: &Tree, number: usize, file: &File) {
    let text = file.text();
    let folder = file.path.strip_suffix(file.name()).unwrap_or_default().to_owned();
    let (mut section, mut key, mut at) = (String::new(), String::new(), 0_usize);
    for line in text.split_inclusive('\n') {
        let place = u32::try_from(at).unwrap_or(0);
        at += line.len();
        let plain = line.trim();
        if plain.is_empty() || plain.starts_with('#') || plain.starts_with(';') {
            continue;
        }
        if let Some(name) = plain.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            section = name.to_owned();
            key.clear();
            continue;
        }
        let mut value = plain;
        if !line.starts_with([' ', '\t']) {
            let Some((name, rest)) = plain.split_once(['=', ':']) else { continue };
            key = name.trim().to_owned();
            value = rest.trim();
        }
        if value.is_empty() {
            continue;
        }
        match (section.as_str(), key.as_str()) {
            (s, "commands" | "commands_pre" | "commands_post") if s.starts_with("testenv") => {
                surface.command(Fires::Test, number, place, value.trim_start_matches('-').trim());
            }
            (_, "addopts") => {
                let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
                pytest(surface, tree, number, file, &words);
            }
            ("options.entry_points" | "entry_points", "pytest11") => {
                let module = value.split_once('=').map_or(value, |(_, m)| m);
                surface.runs(Fires::Test, number, place, module_file(tree, &folder, module));
            }
            ("options" | "global", "cmdclass")
            | ("options.cmdclass", _)
            | ("global", "setup_hooks" | "setup-hooks" | "commands") => {
                let class = value.split_once('=').map_or(value, |(_, c)| c).trim();
                let module = class.rsplit_once('.').map_or(class, |(m, _)| m);
                surface.runs(Fires::Install, number, place, module_file(tree, &folder, module));
            }
            ("metadata", "version") => {
                if let Some(attr) = value.strip_prefix("attr:") {
                    let attr = attr.trim();
                    let module = attr.rsplit_once('.').map_or(attr, |(m, _)| m);
                    surface.runs(Fires::Install, number, place, module_file(tree, &folder, module));
                }
            }
            _ => {}
        }
    }
}

/// Hooks that the repository brings itself.
fn pre_commit(surface: &mut Surface, number: usize, file: &File) {
    let Some(yaml) = super::yaml_or_miss(surface, file) else { return };
    for repo in yaml.get("repos").and_then(Json::as_array).into_iter().flatten() {
        if repo.get("repo").and_then(Json::as_str) != Some("local") {
            continue;
        }
        for hook in repo.get("hooks").and_then(Json::as_array).into_iter().flatten() {
            let Some(entry) = hook.get("entry").and_then(Json::as_str) else { continue };
            let args = hook.get("args").map(super::commands_of).unwrap_or_default().join(" ");
            surface.command(Fires::Git, number, place(file, entry), format!("{entry} {args}"));
        }
    }
}
