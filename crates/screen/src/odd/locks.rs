//! Lock files and lists of what to install: addresses that are not the registry's, names that differ from addresses,
//! packages without a checksum.

use serde_json::Value as Json;

use crate::autorun::Seen;
use crate::finding::Fires;
use crate::rules;
use crate::tree::File;

/// Registries of npm.
const NPM: [&str; 4] =
    ["registry.npmjs.org", "registry.yarnpkg.com", "npm.jsr.io", "npm.pkg.github.com"];
/// Registries of Python.
const PYPI: [&str; 5] = [
    "pypi.org",
    "files.pythonhosted.org",
    "test.pypi.org",
    "download.pytorch.org",
    "pypi.python.org",
];
/// Findings that are told of a file.
const EACH_MAX: usize = 5;

/// Looks at a file.
pub fn look(seen: &mut Vec<Seen>, number: usize, file: &File) {
    let text = file.text();
    let name = file.name();
    let mut found: Vec<(usize, String)> = Vec::new();
    match name {
        "package-lock.json" | "npm-shrinkwrap.json" | ".package-lock.json" => {
            npm(&text, &mut found)
        }
        "yarn.lock" => yarn(&text, &mut found),
        "pnpm-lock.yaml" => pnpm(&text, &mut found),
        "poetry.lock" | "uv.lock" | "pdm.lock" | "Pipfile.lock" => python_lock(&text, &mut found),
        "package.json" => manifest(&text, &mut found),
        ".npmrc" | ".yarnrc" | ".yarnrc.yml" | "bunfig.toml" => registry_setting(&text, &mut found),
        _ if is_requirements(name)
            || name.ends_with(".txt") && file.path.contains("requirements/") =>
        {
            requirements(&text, &mut found)
        }
        "Cargo.lock" => cargo(&text, &mut found),
        _ => {}
    }
    for (at, what) in found.into_iter().take(EACH_MAX) {
        let place = (number, u32::try_from(at).unwrap_or(0));
        seen.push(Seen::medium(&rules::lock_file::RULE, place, Fires::Install, what));
    }
}

fn is_requirements(name: &str) -> bool {
    let lower = name.to_lowercase();
    (lower.starts_with("requirements")
        || lower.ends_with("requirements.txt")
        || lower.starts_with("constraints"))
        && (lower.ends_with(".txt") || lower.ends_with(".in"))
        || lower == "pip.conf"
        || lower == "pip.ini"
}

fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit('@').next()?.split(':').next()
}

fn find(text: &str, what: &str) -> usize {
    text.find(what).unwrap_or(0)
}

/// Whether an address of a registry is of the package of that name: `/name/-/…`.
fn is_of(url: &str, name: &str) -> bool {
    let path =
        url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, p)| p);
    let path = path.replace("%2f", "/").replace("%2F", "/");
    path.starts_with(&format!("{name}/-/"))
}

fn entry(name: &str, url: &str, checksum: bool, text: &str, found: &mut Vec<(usize, String)>) {
    let Some(host) = host(url) else { return };
    let at = find(text, url);
    if url.starts_with("git") || url.contains(".git#") {
        return;
    }
    if !NPM.contains(&host) {
        found.push((at, format!("`{name}` comes from `{host}`, which is no registry of npm")));
    } else if !is_of(url, name) {
        found.push((at, format!("`{name}` comes from the address of another package: `{url}`")));
    } else if !checksum {
        found.push((at, format!("`{name}` has no checksum")));
    }
}

fn npm(text: &str, found: &mut Vec<(usize, String)>) {
    let Ok(json) = serde_json::from_str::<Json>(text) else { return };
    let checks = text.matches("\"integrity\"").count();
    for (path, package) in json.get("packages").and_then(Json::as_object).into_iter().flatten() {
        let Some(url) = package.get("resolved").and_then(Json::as_str) else { continue };
        let by_path = path.rsplit("node_modules/").next().unwrap_or(path);
        let name = package.get("name").and_then(Json::as_str).unwrap_or(by_path);
        // Where no entry has one, the whole file was made without.
        let checksum = package.get("integrity").is_some() || checks == 0;
        if package.get("link").is_none() {
            entry(name, url, checksum, text, found);
        }
    }
    let mut open: Vec<&Json> =
        json.get("dependencies").into_iter().filter(|_| json.get("packages").is_none()).collect();
    while let Some(level) = open.pop() {
        for (name, package) in level.as_object().into_iter().flatten() {
            if let Some(url) = package.get("resolved").and_then(Json::as_str) {
                // Under an alias the version says the true name.
                let alias = package
                    .get("version")
                    .and_then(Json::as_str)
                    .and_then(|v| v.strip_prefix("npm:"));
                let name = alias.and_then(|a| a.rsplit_once('@')).map_or(name.as_str(), |(n, _)| n);
                entry(name, url, package.get("integrity").is_some() || checks == 0, text, found);
            }
            open.extend(package.get("dependencies"));
        }
    }
}

fn yarn(text: &str, found: &mut Vec<(usize, String)>) {
    let checks = text.contains("\n  integrity ");
    for block in text.split("\n\n") {
        let Some(head) =
            block.lines().find(|l| !l.starts_with('#') && !l.starts_with(' ') && l.ends_with(':'))
        else {
            continue;
        };
        let first = head
            .trim_end_matches(':')
            .split(',')
            .next()
            .unwrap_or_default()
            .trim()
            .trim_matches('"');
        let (mut name, range) = first.rsplit_once('@').unwrap_or((first, ""));
        if name.is_empty() {
            name = first;
        }
        if let Some((alias, rest)) = first.split_once("@npm:") {
            name =
                rest.rsplit_once('@').map_or(alias, |(n, _)| if n.is_empty() { alias } else { n });
        }
        let url = block
            .lines()
            .find_map(|l| l.trim().strip_prefix("resolved "))
            .map(|u| u.trim_matches('"'));
        let Some(url) = url.filter(|_| !range.contains("://")) else { continue };
        let url = url.split('#').next().unwrap_or(url);
        let has = block.contains("\n  integrity ") || !checks;
        entry(name, url, has, text, found);
    }
}

fn pnpm(text: &str, found: &mut Vec<(usize, String)>) {
    let mut name = String::new();
    for line in text.lines() {
        let plain = line.trim();
        if line.starts_with("  ") && !line.starts_with("   ") && plain.ends_with(':') {
            name =
                plain.trim_end_matches(':').trim_matches('\'').trim_start_matches('/').to_owned();
            name = name.rsplit_once('@').map_or(name.clone(), |(n, _)| n.to_owned());
        }
        let Some((_, rest)) = plain.split_once("tarball:") else { continue };
        let url = rest.trim().trim_matches('}').split([',', ' ']).next().unwrap_or_default();
        entry(
            &name,
            url,
            plain.contains("integrity:") || !plain.starts_with("resolution"),
            text,
            found,
        );
    }
}

fn python_lock(text: &str, found: &mut Vec<(usize, String)>) {
    for part in text.split("url = \"").chain(text.split("\"url\": \"")).skip(1) {
        let url = part.split('"').next().unwrap_or_default();
        let Some(host) = host(url).filter(|h| url.starts_with("http") && h.contains('.')) else {
            continue;
        };
        if !PYPI.contains(&host) && !host.ends_with("github.com") && !url.contains(".git") {
            found.push((
                find(text, url),
                format!("a package comes from `{host}`, which is no registry of Python"),
            ));
        }
    }
    found.sort();
    found.dedup();
}

fn manifest(text: &str, found: &mut Vec<(usize, String)>) {
    let Ok(json) = serde_json::from_str::<Json>(text) else { return };
    for key in [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
        "overrides",
        "resolutions",
    ] {
        for (name, range) in json.get(key).and_then(Json::as_object).into_iter().flatten() {
            let Some(range) = range.as_str() else { continue };
            let is_archive = range.starts_with("http://") || range.starts_with("https://");
            let known = host(range).is_some_and(|h| {
                NPM.contains(&h)
                    || h == "github.com"
                    || h == "codeload.github.com"
                    || h == "gitlab.com"
                    || h == "pkg.pr.new"
            });
            if (is_archive || range.starts_with("git+http")) && !known {
                found.push((find(text, range), format!("`{name}` is installed from `{range}`")));
            }
        }
    }
}

fn registry_setting(text: &str, found: &mut Vec<(usize, String)>) {
    for line in text.lines() {
        let lower = line.to_lowercase();
        if lower.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let is_registry = lower.contains("registry");
        let Some(at) = line.find("http").filter(|_| is_registry) else { continue };
        let url = line.get(at..).unwrap_or_default().trim_matches(['"', '\'']);
        if let Some(host) =
            host(url).filter(|h| !NPM.contains(h) && *h != "localhost" && *h != "127.0.0.1")
        {
            found.push((
                find(text, line),
                format!("packages are fetched from `{host}`, which is no registry of npm"),
            ));
        }
    }
}

fn requirements(text: &str, found: &mut Vec<(usize, String)>) {
    for line in text.lines() {
        let plain = line.split(" #").next().unwrap_or(line).trim();
        if plain.starts_with('#') {
            continue;
        }
        let is_entry = plain.starts_with("http")
            || plain.starts_with('-')
            || plain.starts_with("git+")
            || plain.contains(" @ ")
            || plain.contains('=') && plain.contains("index");
        let Some(at) = plain.find("http").filter(|_| is_entry) else { continue };
        let url = plain.get(at..).unwrap_or_default();
        let Some(host) = host(url) else { continue };
        let is_known = PYPI.contains(&host)
            || host == "github.com"
            || host == "gitlab.com"
            || host == "localhost"
            || host.ends_with("githubusercontent.com");
        if is_known {
            continue;
        }
        let lower = plain.to_lowercase();
        let what = if lower.contains("index")
            || lower.contains("find-links")
            || lower.starts_with("-f")
            || lower.starts_with("-i")
        {
            format!("packages are fetched from `{host}`, which is no registry of Python")
        } else {
            format!("a package is installed from `{url}`")
        };
        found.push((find(text, line), what));
    }
}

fn cargo(text: &str, found: &mut Vec<(usize, String)>) {
    for part in text.split("source = \"").skip(1) {
        let source = part.split('"').next().unwrap_or_default();
        let url = source.split_once('+').map_or(source, |(_, u)| u);
        if source.starts_with("registry+")
            && !url.contains("github.com/rust-lang/crates.io-index")
            && !url.contains("index.crates.io")
        {
            found.push((
                find(text, source),
                format!("a crate comes from `{url}`, which is not crates.io"),
            ));
        }
    }
}
