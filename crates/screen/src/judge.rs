//! From a tree to findings: what runs by itself, where bytes flow, and what that means.

use std::collections::{BTreeMap, HashMap};

use crate::autorun::{self, Point};
use crate::command;
use crate::finding::{Blocks, Confidence, Finding, Fires, Place, Severity, Step, Verdict};
use crate::flow::ir::Name;
use crate::flow::known::{self, Sink};
use crate::flow::value::Source;
use crate::flow::{self, Hit, Linked, Project};
use crate::nature::{Nature, nature};
use crate::rules::{self, Rule};
use crate::tree::{File, Missed, Tree, excerpt, line_column};

/// Code of a file is parsed up to this size (the contract of `screen`); above it, it is listed.
const CODE_LEN_MAX: usize = 8 << 20;
/// Configuration that programs read.
const CONFIG_LEN_MAX: usize = 1 << 20;

/// What screening found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// Findings, the worst first.
    pub findings: Vec<Finding>,
    /// What was not inspected.
    pub missed: Vec<Missed>,
}

/// Screens a tree.
#[must_use]
pub fn screen(tree: &Tree) -> Outcome {
    screen_announcing(tree, &mut |_| {})
}

/// Screens a tree, and tells each file before it is parsed, then an empty name: who dies there is known.
#[must_use]
pub fn screen_announcing(tree: &Tree, announce: &mut dyn FnMut(&str)) -> Outcome {
    let mut missed = tree.missed.clone();
    let points = autorun::points(tree, &mut missed);
    let mut findings = of_points(tree, &points);
    let (project, files) = project(tree, &mut missed, announce);
    announce("");
    let followed = flow::follow(&project);
    if followed.cut {
        let reason = "code that takes too long to follow".to_owned();
        missed.push(Missed { file: ".".to_owned(), reason });
    }
    for file in followed.too_deep.iter().filter_map(|m| tree.files.get(*files.get(*m)?)) {
        let reason = "code nested too deeply to be followed".to_owned();
        missed.push(Missed { file: file.path.clone(), reason });
    }
    findings.extend(of_flows(tree, &points, &project, &files, &followed.hits));
    findings.sort_by(|a, b| {
        let key = |f: &Finding| {
            (f.blocks_by.is_none(), std::cmp::Reverse((f.severity, f.confidence)), f.fires)
        };
        key(a).cmp(&key(b)).then_with(|| a.place.cmp(&b.place)).then(a.rule.id.cmp(b.rule.id))
    });
    missed.sort();
    missed.dedup();
    let verdict = Verdict::of(&findings, missed.is_empty());
    Outcome { verdict, findings, missed }
}

fn place(file: &File, at: u32) -> (Place, String) {
    let text = file.text();
    let (line, column) = line_column(&text, at);
    (Place { file: file.path.clone(), line, column }, excerpt(&text, line))
}

/// What runs by itself, looked at as commands.
fn of_points(tree: &Tree, points: &[Point]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for point in points {
        let (Some(file), Some(line)) = (tree.files.get(point.file), &point.command) else {
            continue;
        };
        let odd = point.runs.iter().find(|run| {
            command::promises_data(run)
                && tree.files.iter().any(|f| f.path == **run && is_text(&f.bytes))
        });
        let found: Option<(&'static Rule, Severity, Confidence, Option<Blocks>)> =
            if point.fires.is_auto() && command::pipes_network(line) {
                Some((
                    &rules::auto_run_command::RULE,
                    Severity::Critical,
                    Confidence::High,
                    Some(Blocks::B2),
                ))
            } else if point.fires.is_auto() && odd.is_some() {
                Some((
                    &rules::auto_run_odd_file::RULE,
                    Severity::Critical,
                    Confidence::High,
                    Some(Blocks::B2),
                ))
            } else if point.on_open {
                Some((&rules::auto_run_open::RULE, Severity::Medium, Confidence::Medium, None))
            } else {
                None
            };
        let Some((rule, severity, confidence, blocks_by)) = found else { continue };
        let (place, excerpt) = place(file, point.at);
        let mut flow = vec![Step { place: place.clone(), what: format!("runs `{}`", shown(line)) }];
        if let Some(odd) = odd {
            let place = Place { file: odd.clone(), line: 1, column: 1 };
            flow.push(Step { place, what: "is code, not what its name says".to_owned() });
        }
        findings.push(Finding {
            rule,
            severity,
            confidence,
            fires: point.fires,
            blocks_by,
            place,
            excerpt,
            flow,
        });
    }
    findings
}

fn shown(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect()
}

/// Whether bytes are text, as no font or picture is.
fn is_text(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(4_096)).unwrap_or_default();
    !head.is_empty()
        && !head.contains(&0)
        && String::from_utf8_lossy(head).chars().filter(|c| *c == '\u{fffd}').count() * 50
            < head.len()
}

/// The Python of a tree, linked by its imports; and the file of each module.
fn project(
    tree: &Tree,
    missed: &mut Vec<Missed>,
    announce: &mut dyn FnMut(&str),
) -> (Project, Vec<usize>) {
    let mut project = Project::default();
    let mut files = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut modules = Vec::new();
    for (number, file) in tree.files.iter().enumerate() {
        if file.path.ends_with(".json") {
            match serde_json::from_slice(&file.bytes) {
                Ok(json) if file.bytes.len() <= CONFIG_LEN_MAX => {
                    project.configs.insert(file.path.clone(), json);
                }
                // What a program reads there would not be known.
                Ok(_) => missed
                    .push(Missed { file: file.path.clone(), reason: "over a limit".to_owned() }),
                Err(_) => {}
            }
        }
        let source = match nature(file) {
            Nature::Python => file.text(),
            Nature::PythonLines => lines_of_code(&file.text()).into(),
            Nature::Data => continue,
            Nature::Unread(reason) => {
                missed.push(Missed { file: file.path.clone(), reason });
                continue;
            }
        };
        if file.bytes.len() > CODE_LEN_MAX {
            missed.push(Missed { file: file.path.clone(), reason: "over a limit".to_owned() });
            continue;
        }
        announce(&file.path);
        let (module, error) = crate::python::lower(&source);
        if let Some(at) = error {
            let (line, _) = line_column(&source, at);
            missed.push(Missed {
                file: file.path.clone(),
                reason: format!("unparsable source, line {line}"),
            });
        }
        names.insert(module_name(&file.path), modules.len());
        modules.push(module);
        files.push(number);
    }
    for (module, file) in modules.into_iter().zip(&files) {
        let path = tree.files.get(*file).map(|f| f.path.as_str()).unwrap_or_default();
        let imports = imports(&module, path, &names);
        project.modules.push(Linked { module, imports });
    }
    (project, files)
}

/// Lines of a `.pth` file that are code: `site` runs those that begin with `import`. Others are blanked, so that places
/// stay what they are.
fn lines_of_code(text: &str) -> String {
    let keep = |line: &str| line.starts_with("import ") || line.starts_with("import\t");
    let line = |line: &str| if keep(line) { line.to_owned() } else { " ".repeat(line.len()) };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// `a/b/c.py` is `a.b.c`, `a/b/__init__.py` is `a.b`.
fn module_name(path: &str) -> String {
    let path = path.trim_end_matches(".pyw").trim_end_matches(".py");
    path.strip_suffix("/__init__").unwrap_or(path).replace('/', ".")
}

/// Modules of the tree by the names that one imports.
fn imports(
    module: &flow::ir::Module,
    path: &str,
    names: &HashMap<String, usize>,
) -> HashMap<Name, usize> {
    let mut found = HashMap::new();
    let here = module_name(path);
    let is_package = path.ends_with("__init__.py");
    let mut link = |named: &str| {
        if let Some(number) = resolve(named, &here, is_package, names) {
            found.insert(Name::from(named), number);
        }
    };
    for stmt in module.scopes.iter().flat_map(|s| &s.body) {
        match stmt {
            flow::ir::Stmt::Import { module, .. } => link(module),
            flow::ir::Stmt::ImportMember { module, member, .. } => {
                link(module);
                let dot = if module.ends_with('.') { "" } else { "." };
                link(&format!("{module}{dot}{member}"));
            }
            _ => {}
        }
    }
    found
}

/// A module by the name of an import: relative to where it stands, or from any folder above it.
fn resolve(
    named: &str,
    here: &str,
    is_package: bool,
    names: &HashMap<String, usize>,
) -> Option<usize> {
    let plain = named.trim_start_matches('.');
    let dots = named.len() - plain.len();
    let mut parts: Vec<&str> = here.split('.').filter(|p| !p.is_empty()).collect();
    if !is_package {
        parts.pop();
    }
    let join = |parts: &[&str]| {
        let all: Vec<&str> =
            parts.iter().copied().chain(Some(plain).filter(|p| !p.is_empty())).collect();
        all.join(".")
    };
    if dots > 0 {
        let keep = parts.len().checked_sub(dots - 1)?;
        return names.get(&join(parts.get(..keep)?)).copied();
    }
    loop {
        if let Some(found) = names.get(&join(&parts)) {
            return Some(*found);
        }
        parts.pop()?;
    }
}

/// Where bytes flow.
fn of_flows(
    tree: &Tree,
    points: &[Point],
    project: &Project,
    files: &[usize],
    hits: &[Hit],
) -> Vec<Finding> {
    if hits.is_empty() {
        return Vec::new();
    }
    let earliest = earliest(tree, points, project, files);
    let fires = |hit: &Hit| match (hit.on_load, earliest.get(&hit.module)) {
        (true, Some(fires)) => *fires,
        (true, None) => Fires::Import,
        (false, _) => Fires::Run,
    };
    // Secrets are judged together: two kinds to one endpoint are enough.
    let mut kinds: BTreeMap<Option<Name>, Vec<&'static str>> = BTreeMap::new();
    for hit in hits.iter().filter(|h| h.sink.is_none()) {
        if let Source::Secret(kind) = hit.source {
            let list = kinds.entry(hit.endpoint.clone()).or_default();
            if !list.contains(&kind) {
                list.push(kind);
            }
        }
    }
    let mut findings = Vec::new();
    for hit in hits {
        let (rule, severity, confidence, blocks_by) = match (hit.sink, &hit.source) {
            (Some(sink), Source::Network(Some(endpoint)))
                if is_loopback(endpoint) || known::is_registry(host(endpoint)) =>
            {
                (rule_of(sink), Severity::Medium, Confidence::Medium, None)
            }
            (Some(sink), Source::Network(Some(_))) => {
                (rule_of(sink), Severity::Critical, Confidence::High, Some(Blocks::B1))
            }
            (Some(sink), Source::Network(None)) => {
                (rule_of(sink), Severity::Note, Confidence::Low, None)
            }
            (Some(_), Source::Decoded) => (
                &rules::decoded_constant_runs::RULE,
                Severity::Critical,
                Confidence::High,
                Some(Blocks::B1),
            ),
            (None, Source::Secret(_)) => {
                let kinds = kinds.get(&hit.endpoint).map_or(&[][..], |k| k);
                let enough = kinds.len() >= 2 || kinds.iter().any(|k| known::is_strong(k));
                let known = hit.endpoint.as_deref().is_some_and(|e| !is_loopback(e));
                let blocks = (enough && known).then_some(Blocks::B3);
                let severity = if blocks.is_some() { Severity::Critical } else { Severity::Medium };
                (&rules::secrets_leave::RULE, severity, Confidence::High, blocks)
            }
            _ => continue,
        };
        let file_of = |module: usize| files.get(module).and_then(|f| tree.files.get(*f));
        let Some(file) = file_of(hit.module) else { continue };
        let (at, excerpt) = place(file, hit.at);
        let from = match &hit.source {
            Source::Network(Some(endpoint)) => format!(" from `{endpoint}`"),
            Source::Network(None) => " from an endpoint that its caller gives".to_owned(),
            _ => String::new(),
        };
        let flow = hit.steps.iter().enumerate().filter_map(|(nth, s)| {
            let what = if nth == 0 { format!("{}{from}", s.what) } else { s.what.clone() };
            Some(Step { place: place(file_of(s.module)?, s.at).0, what })
        });
        findings.push(Finding {
            rule,
            severity,
            confidence,
            fires: fires(hit),
            blocks_by,
            place: at,
            excerpt,
            flow: flow.collect(),
        });
    }
    findings
}

const fn rule_of(sink: Sink) -> &'static Rule {
    match sink {
        Sink::Interpreter => &rules::network_to_interpreter::RULE,
        Sink::Shell => &rules::network_to_shell::RULE,
        Sink::Deserialiser => &rules::network_to_deserialiser::RULE,
        Sink::Template => &rules::network_to_template::RULE,
    }
}

/// The host of an endpoint: without scheme, user and port.
fn host(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Whether an endpoint is this machine: by its host, not by its text.
fn is_loopback(endpoint: &str) -> bool {
    let host = host(endpoint);
    host == "localhost"
        || host == "::1"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

/// When each module is first loaded by something that runs without being asked for.
fn earliest(
    tree: &Tree,
    points: &[Point],
    project: &Project,
    files: &[usize],
) -> HashMap<usize, Fires> {
    let by_path: HashMap<&str, usize> = files
        .iter()
        .enumerate()
        .filter_map(|(module, file)| Some((tree.files.get(*file)?.path.as_str(), module)))
        .collect();
    let mut earliest: HashMap<usize, Fires> = HashMap::new();
    for point in points {
        for run in &point.runs {
            let Some(module) = by_path.get(run.as_str()) else { continue };
            for loaded in flow::loaded_by(project, *module) {
                let fires = earliest.entry(loaded).or_insert(point.fires);
                *fires = (*fires).min(point.fires);
            }
        }
    }
    earliest
}
