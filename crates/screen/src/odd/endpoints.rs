//! One data source unlike its siblings: addresses that stand together, in code or in a file that configures it, and of
//! which one is on another kind of host.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::autorun::Seen;
use crate::finding::{Fires, Severity};
use crate::flow::ir::{Expr, Stmt};
use crate::rules;
use crate::tree::Tree;
use crate::waves::Waves;

/// Addresses that stand together, from which one can be told from the others.
const GROUP_MIN: usize = 4;

/// Looks at lists and maps of addresses.
pub fn look(seen: &mut Vec<Seen>, tree: &Tree, waves: &Waves) {
    // Where nothing is fetched, addresses are only texts.
    let fetches = waves.all.iter().any(|(_, f)| f.fetches);
    let Some((assembly, _)) = waves.all.first().filter(|_| fetches) else { return };
    for (path, json) in &assembly.project.configs {
        let name = path.rsplit('/').next().unwrap_or(path);
        if describes(path, name) {
            continue;
        }
        let mut groups = Vec::new();
        in_json(json, &mut groups, 0);
        let Some(number) = tree.file(path) else { continue };
        for group in groups {
            tell(seen, tree, number, &group);
        }
    }
    for (module, unit) in assembly.units.iter().enumerate().filter(|(_, u)| u.at.is_none()) {
        let Some(linked) = assembly.project.modules.get(module) else { continue };
        // A list that nothing here fetches from is a list.
        let text = tree.files.get(unit.file).map(|f| f.text()).unwrap_or_default();
        if !FETCHES.iter().any(|f| text.contains(f)) || describes(&linked.path, "") {
            continue;
        }
        for scope in &linked.module.scopes {
            for stmt in &scope.body {
                if let Stmt::Assign(_, value) | Stmt::Do(value) | Stmt::Return(value) = stmt {
                    let mut group = Vec::new();
                    if matches!(value, Expr::List(..) | Expr::Map(..)) {
                        texts(value, &mut group, 0);
                    }
                    tell(seen, tree, unit.file, &group);
                }
            }
        }
    }
}

/// Words by which code that fetches is known.
const FETCHES: [&str; 14] = [
    "requests",
    "urlopen",
    "fetch(",
    "axios",
    "httpx",
    "aiohttp",
    "got(",
    "got.",
    "http.get",
    "https.get",
    "https.request",
    "session.get",
    "superagent",
    "curl",
];

/// Whether a file says what a project is, not where its data comes from.
fn describes(path: &str, name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "package.json",
        "pyproject.toml",
        "setup.cfg",
        "cargo.toml",
        "composer.json",
        "manifest.json",
        "mkdocs.yml",
        "codemeta.json",
        "tsconfig.json",
        "pnpm-workspace.yaml",
    ];
    const PARTS: [&str; 9] = [
        "lock",
        "openapi",
        "swagger",
        "schema",
        "citation",
        "docs/",
        ".github/",
        "node_modules/",
        "setup.py",
    ];
    let (path, name) = (path.to_lowercase(), name.to_lowercase());
    NAMES.contains(&name.as_str())
        || PARTS.iter().any(|p| path.contains(p))
        || path.ends_with("conf.py")
        || name.starts_with('.')
}

fn in_json(json: &Json, groups: &mut Vec<Vec<String>>, depth: u32) {
    let mut own = Vec::new();
    let mut add = |value: &Json| {
        if let Some(text) = value.as_str().filter(|t| is_address(t)) {
            own.push(text.to_owned());
        }
        // One level down: a list of sources with an address each.
        if let Json::Object(map) = value {
            own.extend(
                map.values()
                    .filter_map(Json::as_str)
                    .filter(|t| is_address(t))
                    .take(1)
                    .map(str::to_owned),
            );
        }
    };
    match json {
        Json::Object(map) if depth < 8 => {
            map.values().for_each(&mut add);
            map.values().for_each(|v| in_json(v, groups, depth + 1));
        }
        Json::Array(all) if depth < 8 => {
            all.iter().for_each(&mut add);
            all.iter().for_each(|v| in_json(v, groups, depth + 1));
        }
        _ => {}
    }
    groups.push(own);
}

fn texts(expr: &Expr, group: &mut Vec<String>, depth: u32) {
    if depth > 3 {
        return;
    }
    match expr {
        Expr::Text(text) if is_address(text) => group.push(text.to_string()),
        Expr::Join(parts) => {
            if let Some(Expr::Text(text)) =
                parts.first().filter(|p| matches!(p, Expr::Text(t) if is_address(t)))
            {
                group.push(text.to_string());
            }
        }
        Expr::List(_, all) => all.iter().for_each(|e| texts(e, group, depth + 1)),
        Expr::Map(_, pairs) => pairs.iter().for_each(|(_, e)| texts(e, group, depth + 1)),
        Expr::Call(call) => {
            call.args
                .iter()
                .chain(call.named.iter().map(|(_, v)| v))
                .for_each(|e| texts(e, group, depth + 1));
        }
        _ => {}
    }
}

fn is_address(text: &str) -> bool {
    (text.starts_with("http://")
        || text.starts_with("https://")
        || text.starts_with("ws://")
        || text.starts_with("wss://"))
        && !text.contains(char::is_whitespace)
}

#[derive(PartialEq, Eq)]
struct Kind {
    is_plain: bool,
    is_number: bool,
    has_port: bool,
    has_user: bool,
}

fn kind(url: &str) -> Option<(Kind, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host_port = authority.rsplit('@').next()?;
    let (host, port) = host_port.rsplit_once(':').map_or((host_port, None), |(h, p)| (h, Some(p)));
    if host.is_empty() || !host.contains('.') {
        return None;
    }
    let is_number = host.parse::<std::net::Ipv4Addr>().is_ok();
    let kind = Kind {
        is_plain: matches!(scheme, "http" | "ws"),
        is_number,
        has_port: port.is_some_and(|p| p != "443" && p != "80"),
        has_user: authority.contains('@'),
    };
    Some((kind, domain(host)))
}

/// The part of a host that somebody has registered: of suffixes only the common ones of two parts are known here.
fn domain(host: &str) -> String {
    let parts: Vec<&str> = host.split('.').collect();
    let two = |n: usize| parts.get(parts.len().saturating_sub(n)..).unwrap_or_default().join(".");
    let last = two(2);
    let of_country = parts.len() > 2
        && parts.last().is_some_and(|l| l.len() == 2)
        && last.split('.').next().is_some_and(|s| {
            matches!(s, "co" | "com" | "or" | "ne" | "ac" | "org" | "net" | "gov")
        });
    if of_country { two(3) } else { last }
}

/// Endings of hosts that anyone may have for nothing, or that lead nowhere known.
fn is_cheap(host: &str) -> bool {
    const ENDS: [&str; 30] = [
        "xyz",
        "top",
        "icu",
        "click",
        "online",
        "site",
        "space",
        "website",
        "store",
        "live",
        "tk",
        "ml",
        "ga",
        "cf",
        "gq",
        "invalid",
        "buzz",
        "fun",
        "pw",
        "cyou",
        "vercel.app",
        "netlify.app",
        "ngrok.io",
        "ngrok-free.app",
        "workers.dev",
        "pages.dev",
        "herokuapp.com",
        "onrender.com",
        "duckdns.org",
        "mocki.io",
    ];
    ENDS.iter().any(|e| host == *e || host.ends_with(&format!(".{e}")))
}

fn tell(seen: &mut Vec<Seen>, tree: &Tree, number: usize, group: &[String]) {
    let mut all: Vec<(&String, Kind, String)> = Vec::new();
    for url in group {
        if let Some((kind, domain)) = kind(url)
            && !all.iter().any(|(u, ..)| *u == url)
        {
            all.push((url, kind, domain));
        }
    }
    if all.len() < GROUP_MIN {
        return;
    }
    let mut domains: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, _, domain) in &all {
        *domains.entry(domain).or_default() += 1;
    }
    let odd_kind: Vec<_> = all
        .iter()
        .filter(|(_, k, _)| k.is_plain || k.is_number || k.has_port || k.has_user)
        .collect();
    let cheap: Vec<_> = all.iter().filter(|(_, _, d)| is_cheap(d)).collect();
    let alone: Vec<_> =
        all.iter().filter(|(_, _, d)| domains.get(d.as_str()) == Some(&1)).collect();
    let (url, why) = if let [(url, ..)] = odd_kind[..] {
        (url, "by address, port or protocol")
    } else if let [(url, ..)] = cheap[..] {
        (url, "by the kind of its host")
    } else if let [(url, ..)] = alone[..] {
        if domains.len() != 2 {
            return;
        }
        (url, "by its host")
    } else {
        return;
    };
    let Some(file) = tree.files.get(number) else { return };
    let at = file.text().find(url.as_str()).unwrap_or(0);
    let what = format!("`{url}` is unlike the {} others that it stands with, {why}", all.len() - 1);
    let place = (number, u32::try_from(at).unwrap_or(0));
    if seen
        .iter()
        .any(|s| s.rule.id == rules::odd_endpoint::RULE.id && s.file == number && s.at == place.1)
    {
        return;
    }
    seen.push(Seen {
        severity: Severity::Medium,
        ..Seen::medium(&rules::odd_endpoint::RULE, place, Fires::Run, what)
    });
}
