//! git: hooks, and settings that make it run programs.

use super::{Seen, Surface, place, within};
use crate::finding::Fires;
use crate::nature::has_sections;
use crate::rules;
use crate::tree::{File, Tree};

/// What settings say of other files of their tree.
#[derive(Debug)]
pub struct Around {
    /// Paths of settings that other settings take in.
    included: Vec<String>,
    /// Texts, in lower case, that say where hooks are.
    leading: Vec<String>,
}

impl Around {
    /// Of all files of a tree.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        const LEN_MAX: usize = 1 << 20;
        let mut around = Self { included: Vec::new(), leading: Vec::new() };
        for file in tree.files.iter().filter(|f| f.bytes.len() < LEN_MAX) {
            let (name, inside) = (file.name(), within(&file.path, ".git/"));
            if inside
                || matches!(name, "package.json" | "Makefile" | ".gitconfig")
                || name.ends_with(".sh")
            {
                let text = file.text().to_lowercase();
                if text.contains("hookspath") {
                    around.leading.push(text);
                }
            }
            if inside && name == "config" && file.text().contains("[include") {
                let text = file.text();
                let paths = text.lines().filter_map(|line| line.split_once('='));
                let paths = paths.filter(|(key, _)| key.trim().eq_ignore_ascii_case("path"));
                around
                    .included
                    .extend(paths.map(|(_, path)| path.trim().trim_matches('"').to_owned()));
            }
        }
        around
    }

    /// Whether a folder is one of hooks: by its name, or because a setting leads to it.
    fn has_hooks(&self, path: &str) -> bool {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let last = folder.rsplit('/').next().unwrap_or(folder).to_lowercase();
        last.contains("hook")
            || folder.ends_with(".husky")
            || self.leading.iter().any(|text| text.contains(&last))
    }

    /// Whether another setting of git takes a file in.
    fn includes(&self, name: &str) -> bool {
        self.included.iter().any(|path| path.ends_with(name))
    }
}

/// Looks at a file.
pub fn look(surface: &mut Surface, around: &Around, number: usize, file: &File) {
    let (path, name) = (file.path.as_str(), file.name());
    if is_hook(path, name) && (within(path, ".git/") || around.has_hooks(path)) {
        surface.command(Fires::Git, number, 0, file.text());
        surface.runs(Fires::Git, number, 0, vec![file.path.clone()]);
    }
    // A folder of any name may be a repository: where git is called in it, its settings hold.
    let is_config = (within(path, ".git/") || has_sections(&file.bytes))
        && (name == "config" || name == "config.worktree")
        || name == ".gitconfig"
        || name.ends_with(".gitconfig")
        || name == "gitconfig"
        || around.includes(name);
    if is_config {
        config(surface, number, file);
    } else if name == ".gitmodules" {
        modules(surface, number, file);
    }
}

fn is_hook(path: &str, name: &str) -> bool {
    const HOOKS: [&str; 20] = [
        "applypatch-msg",
        "pre-applypatch",
        "post-applypatch",
        "pre-commit",
        "pre-merge-commit",
        "prepare-commit-msg",
        "commit-msg",
        "post-commit",
        "pre-rebase",
        "post-checkout",
        "post-merge",
        "pre-push",
        "pre-receive",
        "update",
        "post-update",
        "reference-transaction",
        "pre-auto-gc",
        "post-rewrite",
        "fsmonitor-watchman",
        "post-index-change",
    ];
    path.contains('/') && HOOKS.contains(&name) && !name.ends_with(".sample")
}

/// Settings as section, key and value, with the place of each.
fn entries(text: &str) -> Vec<(String, String, String, u32)> {
    let (mut section, mut all, mut at) = (String::new(), Vec::new(), 0_usize);
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let place = u32::try_from(at).unwrap_or(0);
        at += line.len();
        let mut line = line.trim_end().to_owned();
        // A line goes on after a backslash.
        while line.ends_with('\\') {
            line.pop();
            let Some(next) = lines.next() else { break };
            at += next.len();
            line.push_str(next.trim_end());
        }
        let mut plain = line.trim().to_owned();
        if let Some(rest) = plain.strip_prefix('[') {
            let Some((name, after)) = rest.split_once(']') else { continue };
            section = name.to_lowercase();
            plain = after.trim().to_owned();
        }
        if plain.is_empty() || plain.starts_with('#') || plain.starts_with(';') {
            continue;
        }
        let (key, value) = plain.split_once('=').unwrap_or((&plain, "true"));
        let value = value.trim();
        let value = match value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) {
            Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
            None => value.replace("\\\"", "\""),
        };
        all.push((section.clone(), key.trim().to_lowercase(), value, place));
    }
    all
}

/// A setting that a person has to look at.
fn see(surface: &mut Surface, number: usize, at: u32, what: String) {
    let one = Seen::medium(&rules::git_setting::RULE, (number, at), Fires::Git, what);
    surface.seen.push(one);
}

fn config(surface: &mut Surface, number: usize, file: &File) {
    for (section, key, value, at) in entries(&file.text()) {
        let first = section.split([' ', '.']).next().unwrap_or_default().to_owned();
        let runs = match (first.as_str(), key.as_str()) {
            ("core", "hookspath") => {
                let what = format!("git takes its hooks from `{value}`");
                see(surface, number, at, what);
                false
            }
            ("core", "fsmonitor") => !matches!(value.as_str(), "true" | "false"),
            ("core", "sshcommand" | "gitproxy" | "alternaterefscommand") => value != "ssh",
            ("core", "editor" | "pager" | "askpass") | ("sequence", "editor") => {
                value.contains('/') || value.contains(' ') && value.contains(['|', ';', '$', '&'])
            }
            ("filter", "clean" | "smudge" | "process") => {
                !value.starts_with("git-lfs ") && !value.starts_with("nbstripout")
            }
            ("diff", "textconv" | "command" | "external") | ("merge", "driver") => true,
            ("difftool" | "mergetool" | "browser" | "man", "cmd" | "path") => true,
            ("alias", _) => value.starts_with('!'),
            ("credential", "helper") => value.starts_with('!') || value.contains('/'),
            ("gpg" | "commit", "program") => value.contains('/'),
            ("pager" | "interactive", _) => value.contains(['|', ';', '$', '/']),
            ("remote" | "submodule" | "url", "url" | "pushurl" | "insteadof" | "pushinsteadof") => {
                transport(surface, number, at, &value);
                transport(surface, number, at, &section);
                false
            }
            ("remote", "uploadpack" | "receivepack" | "vcs" | "proxy") => key != "proxy",
            ("submodule", "update") => value.starts_with('!'),
            ("uploadpack", "packobjectshook") | ("receive", "procreceiverefs") => true,
            ("protocol", "allow") => {
                if section.contains("ext") && value == "always" {
                    let what = "lets remotes name a command to run (`ext::`)".to_owned();
                    see(surface, number, at, what);
                }
                false
            }
            _ => false,
        };
        if runs {
            let command = value.trim_start_matches('!').to_owned();
            let what = format!(
                "git runs `{}` by `{section}.{key}`",
                command.chars().take(120).collect::<String>()
            );
            see(surface, number, at, what);
            surface.command(Fires::Git, number, at, command);
        }
    }
}

/// `ext::command` is run by git as a transport.
fn transport(surface: &mut Surface, number: usize, at: u32, value: &str) {
    if let Some((_, command)) = value.split_once("ext::") {
        let command = command.trim_end_matches('"');
        let what = format!("git runs `{command}` as a transport");
        surface.seen.push(Seen {
            severity: crate::finding::Severity::High,
            ..Seen::medium(&rules::git_setting::RULE, (number, at), Fires::Git, what)
        });
        // Words of it are joined by `% `.
        surface.command(Fires::Git, number, at, command.replace("% ", " "));
    }
}

fn modules(surface: &mut Surface, number: usize, file: &File) {
    for (_, key, value, at) in entries(&file.text()) {
        match key.as_str() {
            "url" => {
                transport(surface, number, at, &value);
                if value.starts_with('-') || value.starts_with("file://") || value.contains("\n") {
                    let what = format!("a submodule comes from `{value}`");
                    see(surface, number, at, what);
                }
            }
            "update" if value.starts_with('!') => {
                let command = value.trim_start_matches('!').to_owned();
                let what = format!("git runs `{command}` when the submodule is updated");
                see(surface, number, at, what);
                surface.command(Fires::Git, number, place(file, &value), command);
            }
            "path" if value.contains("..") || value.to_lowercase().contains(".git") => {
                let what = format!("a submodule is put at `{value}`");
                see(surface, number, at, what);
            }
            _ => {}
        }
    }
}
