//! What stays: files and commands that start something later on, programs that outlive who started them, files that are
//! written, run and taken away, second runtimes.

use std::collections::BTreeSet;

use crate::autorun::Seen;
use crate::finding::{Confidence, Fires, Severity};
use crate::flow::known;
use crate::flow::{Language, Runs};
use crate::rules;
use crate::tree::Tree;
use crate::waves::Waves;

/// What may be somebody else's: among very many modules paths and commands are mixed up.
const DOUBTFUL: (Severity, Confidence) = (Severity::Low, Confidence::Low);

/// Looks at what code does.
pub fn look(seen: &mut Vec<Seen>, tree: &Tree, waves: &Waves) {
    for (wave, (_, followed)) in waves.all.iter().enumerate() {
        for (module, at, path) in &followed.written {
            let id = (wave, *module);
            let Some(unit) = waves.unit(id) else { continue };
            let place = (unit.file, unit.place(*at));
            if known::disarms(path) {
                let what = format!("runs `{}`", path.chars().take(120).collect::<String>());
                seen.push(Seen::medium(
                    &rules::protection_off::RULE,
                    place,
                    waves.fires(id, true),
                    what,
                ));
            }
            if let Some(what) = container(path) {
                let fires = waves.fires(id, true);
                seen.push(Seen::medium(&rules::container_access::RULE, place, fires, what));
            }
            if !known::persists(path) {
                continue;
            }
            let what = format!("writes `{}`", path.chars().take(120).collect::<String>());
            let fires = waves.fires(id, true);
            let mut one =
                Seen::medium(&rules::persistence::RULE, (unit.file, unit.place(*at)), fires, what);
            // Installers write these for what they install.
            let of_site = path.ends_with("customize.py") || path.ends_with(".pth");
            if of_site && !path.contains("site-packages") && !path.contains("dist-packages") {
                one.severity = Severity::Low;
            }
            // Under what name is said by who asks a library for it.
            let is_named = !path.rsplit('/').next().is_some_and(|name| name.contains('…'));
            if !is_named && !fires.is_auto() && waves.is_large(wave) {
                (one.severity, one.confidence) = DOUBTFUL;
            }
            seen.push(one);
        }
        dropped(seen, waves, wave);
        runtimes(seen, tree, waves, wave);
    }
    for one in &waves.started {
        let Some(unit) = waves.unit(one.from) else { continue };
        let fires = waves.fires(one.from, one.on_load);
        if known::persists(&one.line) {
            let what = format!("runs `{}`", one.line.chars().take(120).collect::<String>());
            seen.push(Seen::medium(&rules::persistence::RULE, (unit.file, one.at), fires, what));
        }
        let line_detaches = one.line.contains("nohup ")
            || one.line.contains("setsid ")
            || one.line.contains("start /b")
            || one.line.contains("Start-Process -WindowStyle Hidden");
        if one.detached || line_detaches {
            let what = format!(
                "`{}` goes on when what started it is gone",
                one.line.chars().take(120).collect::<String>()
            );
            let place = (unit.file, one.at);
            let mut seen_one = Seen::medium(&rules::detached_child::RULE, place, fires, what);
            // Where somebody asks for it, programs do that.
            let asked = !one.on_load
                && waves.fires_of(one.from).is_none_or(|f| matches!(f, Fires::Run | Fires::Import));
            let is_unknown = one.line.trim().is_empty() && !fires.is_auto();
            let is_mixed = waves.is_large(one.from.0) && !fires.is_auto();
            if asked && !runs_hidden(tree, &one.line) {
                seen_one.severity = Severity::Low;
            } else if is_unknown || is_mixed {
                (seen_one.severity, seen_one.confidence) = DOUBTFUL;
            }
            seen.push(seen_one);
        }
    }
}

/// A container that is started with more than it needs.
fn container(line: &str) -> Option<String> {
    let program = line.split(' ').next()?;
    if !matches!(program, "docker" | "podman" | "nerdctl") {
        return None;
    }
    const MARKS: [&str; 8] = [
        "--privileged",
        "--pid=host",
        "-v /:",
        "--cap-add=ALL",
        "--cap-add=SYS_ADMIN",
        "docker.sock",
        "/.ssh:",
        "/.aws:",
    ];
    let mark = MARKS.iter().find(|m| line.contains(**m))?;
    Some(format!("the container is started with `{mark}`"))
}

/// Whether a line runs code of the tree, or code on its line, rather than a program of the machine.
fn runs_hidden(tree: &Tree, line: &str) -> bool {
    crate::command::has_code(line)
        || crate::command::files_run(line)
            .iter()
            .any(|f| tree.files.iter().any(|t| t.path.ends_with(f.as_str())))
        || line.contains('…')
}

/// Files that one module writes, runs and takes away.
fn dropped(seen: &mut Vec<Seen>, waves: &Waves, wave: usize) {
    let Some((_, followed)) = waves.all.get(wave) else { return };
    for (module, at, path) in &followed.deleted {
        let written = followed.written.iter().any(|(m, _, p)| m == module && p == path);
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_temporary =
            path.to_lowercase().contains("tmp") || path.to_lowercase().contains("temp");
        if name.contains('…') || !is_temporary {
            continue;
        }
        let by_line = followed
            .commands
            .keys()
            .any(|(m, _, line)| m == module && name.len() > 2 && line.contains(name));
        let by_file = followed.runs.keys().any(|(m, _, r)| {
            m == module && matches!(r, Runs::File(_, p) | Runs::Code(_, p) if p.contains(name) && name.len() > 2)
        });
        let Some(unit) = waves.unit((wave, *module)).filter(|_| written && (by_line || by_file))
        else {
            continue;
        };
        let what = format!("`{path}` is written, run and taken away");
        let fires = waves.fires((wave, *module), true);
        let place = (unit.file, unit.place(*at));
        let mut one = Seen::medium(&rules::drop_run_delete::RULE, place, fires, what);
        // Among very many modules a path is mixed up with those of others.
        if waves.is_large(wave) && !fires.is_auto() {
            (one.severity, one.confidence) = DOUBTFUL;
        }
        seen.push(one);
    }
}

/// Code in another runtime than the installer's own.
fn runtimes(seen: &mut Vec<Seen>, tree: &Tree, waves: &Waves, wave: usize) {
    let Some((_, followed)) = waves.all.get(wave) else { return };
    let mut told: BTreeSet<(usize, u32)> = BTreeSet::new();
    for (module, at, runs) in followed.runs.keys() {
        let id = (wave, *module);
        let (Runs::File(program, what) | Runs::Code(program, what)) = runs;
        let second = matches!(
            program.as_str(),
            "bun" | "deno" | "perl" | "ruby" | "php" | "osascript" | "powershell"
        ) || matches!(crate::flow::language_of(program), Some(Language::Python));
        let is_install = waves.fires_of(id) == Some(Fires::Install);
        let Some(unit) = waves.unit(id).filter(|_| second && is_install) else { continue };
        // Where Python is what is installed, Python is the first one.
        let is_npm = tree.files.get(unit.file).is_some_and(|f| f.name() == "package.json")
            || unit.language == Language::JavaScript
            || tree.files.get(unit.file).is_some_and(|f| {
                [".js", ".mjs", ".cjs", ".ts"].iter().any(|e| f.name().ends_with(e))
            });
        if !is_npm {
            continue;
        }
        let place = (unit.file, unit.place(*at));
        if told.insert(place) {
            let what = format!(
                "installing runs `{program}` on `{}`",
                what.chars().take(80).collect::<String>()
            );
            seen.push(Seen::medium(&rules::second_runtime::RULE, place, Fires::Install, what));
        }
    }
}
