//! From a tree to findings: what runs by itself, where bytes flow, and what that means.

use std::collections::BTreeMap;

use crate::autorun::{self, Point, Seen, Surface};
use crate::command;
use crate::finding::{Blocks, Confidence, Finding, Fires, Place, Severity, Step, Verdict};
use crate::flow::Hit;
use crate::flow::ir::Name;
use crate::flow::known::{self, Sink};
use crate::flow::value::Source;
use crate::limits::Limits;
use crate::odd;
use crate::rules::{self, Rule};
use crate::tree::{File, Missed, Tree, excerpt, line_column};
use crate::waves::{self, Waves};

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
    screen_announcing(tree, &Limits::default(), &mut |_| {})
}

/// Screens a tree, and tells each file before it is parsed, then an empty name: who dies there is known.
#[must_use]
pub fn screen_announcing(tree: &Tree, limits: &Limits, announce: &mut dyn FnMut(&str)) -> Outcome {
    let Surface { points, mut seen, missed: unread } = autorun::surface(tree);
    let mut missed = tree.missed.clone();
    missed.extend(unread);
    let waves = waves::follow(tree, &points, limits, &mut missed, announce);
    seen.extend(odd::look(tree, &waves));
    let mut findings = of_flows(tree, &waves, &mut missed);
    findings.extend(of_points(tree, &points, &waves, &findings));
    for one in &seen {
        findings.extend(of_seen(tree, one));
        if is_doubtful(one.severity, one.confidence)
            && let Some(file) = tree.files.get(one.file)
        {
            let reason = "something that can't be told from what others do here".to_owned();
            missed.push(Missed { file: file.path.clone(), reason });
        }
    }
    findings.sort_by(|a, b| {
        let key = |f: &Finding| {
            (f.blocks_by.is_none(), std::cmp::Reverse((f.severity, f.confidence)), f.fires)
        };
        key(a).cmp(&key(b)).then_with(|| a.place.cmp(&b.place)).then(a.rule.id.cmp(b.rule.id))
    });
    findings.dedup_by(|a, b| {
        a.rule.id == b.rule.id
            && a.place == b.place
            && a.flow.last() == b.flow.last()
            && a.severity == b.severity
            && a.flow.first() == b.flow.first()
    });
    missed.sort();
    missed.dedup();
    let verdict = Verdict::of(&findings, missed.is_empty());
    Outcome { verdict, findings, missed }
}

fn place(file: &File, at: u32) -> (Place, String) {
    let text = file.text();
    let (line, column) = line_column(&text, at);
    (Place { file: file.path.clone(), line, column }, excerpt(&text, line, column))
}

fn finding(
    (rule, severity, confidence, blocks_by): Judged,
    fires: Fires,
    (place, excerpt): (Place, String),
    flow: Vec<Step>,
) -> Finding {
    Finding { rule, severity, confidence, fires, blocks_by, place, excerpt, flow }
}

fn of_seen(tree: &Tree, seen: &Seen) -> Option<Finding> {
    let file = tree.files.get(seen.file)?;
    let (place, excerpt) = place(file, seen.at);
    let flow = vec![Step { place: place.clone(), what: seen.what.clone() }];
    let judged = (seen.rule, seen.severity, seen.confidence, None);
    Some(finding(judged, seen.fires, (place, excerpt), flow))
}

/// What runs by itself, looked at as commands.
fn of_points(tree: &Tree, points: &[Point], waves: &Waves, flows: &[Finding]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for point in points {
        let Some(file) = tree.files.get(point.file) else { continue };
        let line = point.command.as_deref().unwrap_or_default();
        let (place, excerpt) = place(file, point.at);
        // What its flow has told is not told again.
        let told = flows.iter().any(|f| {
            f.blocks_by.is_some() && f.place.file == place.file && f.place.line == place.line
        });
        let found: Option<Judged> = if point.fires.is_auto()
            && !told
            && command::pipes_network(line)
            && !names_registry(line)
        {
            Some((
                &rules::auto_run_command::RULE,
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
        let flow = vec![Step { place: place.clone(), what: format!("runs `{}`", shown(line)) }];
        let judged = (rule, severity, confidence, blocks_by);
        findings.push(finding(judged, point.fires, (place, excerpt), flow));
    }
    // Files whose names say that they are data, and that something runs.
    for odd in &waves.odd {
        let (Some(file), Some(data)) = (tree.files.get(odd.by), tree.files.get(odd.file)) else {
            continue;
        };
        let (place, excerpt) = place(file, odd.at);
        let fires = waves.fires_of(odd.from).unwrap_or(Fires::Run);
        let auto = fires.is_auto();
        let (rule, severity, confidence, blocks_by) = match auto {
            true => (
                &rules::auto_run_odd_file::RULE,
                Severity::Critical,
                Confidence::High,
                Some(Blocks::B2),
            ),
            false => (&rules::odd_file_runs::RULE, Severity::High, Confidence::High, None),
        };
        let inner = Place { file: data.path.clone(), line: 1, column: 1 };
        let flow = vec![
            Step { place: place.clone(), what: format!("runs `{}`", data.path) },
            Step { place: inner, what: "is code, not what its name says".to_owned() },
        ];
        let judged = (rule, severity, confidence, blocks_by);
        findings.push(finding(judged, fires, (place, excerpt), flow));
    }
    findings
}

/// Whether all that a line fetches comes from registries.
fn names_registry(line: &str) -> bool {
    let mut hosts = line
        .match_indices("://")
        .map(|(at, _)| {
            let url = line.get(at..).unwrap_or_default();
            let end = url.find(|c: char| c.is_whitespace() || "\"'`<>|;".contains(c));
            host(url.get(..end.unwrap_or(url.len())).unwrap_or_default())
        })
        .peekable();
    hosts.peek().is_some() && hosts.all(known::is_registry)
}

fn shown(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect()
}

/// Whether something was told only because it could not be judged: that is never "no findings".
fn is_doubtful(severity: Severity, confidence: Confidence) -> bool {
    severity == Severity::Low && confidence == Confidence::Low
}

/// Where bytes flow.
fn of_flows(tree: &Tree, waves: &Waves, missed: &mut Vec<Missed>) -> Vec<Finding> {
    // Secrets are judged together: two kinds to one endpoint are enough.
    let mut kinds: BTreeMap<Option<Name>, Vec<&'static str>> = BTreeMap::new();
    for (_, hit) in waves.hits().filter(|(w, h)| h.sink.is_none() && waves.is_sure(*w, h, false)) {
        if let Source::Secret(kind) = hit.source {
            let list = kinds.entry(hit.endpoint.clone()).or_default();
            if !list.contains(&kind) {
                list.push(kind);
            }
        }
    }
    let mut findings = Vec::new();
    for (wave, hit) in waves.hits() {
        let id = (wave, hit.module);
        let fires = waves.fires(id, hit.on_load);
        let Some((rule, mut severity, mut confidence, mut blocks_by)) =
            judged(tree, waves, id, hit, fires, &kinds)
        else {
            continue;
        };
        let mild = severity <= Severity::Medium;
        if severity > Severity::Low && !waves.is_sure(wave, hit, mild) {
            // Callers are not told apart on so long a way. In a few modules it may be, and of what would block a person
            // has to look; among very many there always is one.
            let doubtful = waves.is_large(wave) || mild;
            severity = if doubtful { Severity::Low } else { Severity::Medium };
            (confidence, blocks_by) = (Confidence::Low, None);
        }
        let Some(unit) = waves.unit(id) else { continue };
        let Some(file) = tree.files.get(unit.file) else { continue };
        if is_doubtful(severity, confidence) {
            let reason = "a way that is too long to be sure of".to_owned();
            missed.push(Missed { file: file.path.clone(), reason });
        }
        let (at, excerpt) = place(file, unit.place(hit.at));
        let from = match &hit.source {
            Source::Network(Some(endpoint)) => format!(" from `{endpoint}`"),
            Source::Network(None) => " from an endpoint that its caller gives".to_owned(),
            _ => String::new(),
        };
        let flow = hit.steps.iter().enumerate().filter_map(|(nth, s)| {
            let what = if nth == 0 { format!("{}{from}", s.what) } else { s.what.clone() };
            let unit = waves.unit((wave, s.module))?;
            let file = tree.files.get(unit.file)?;
            Some(Step { place: place(file, unit.place(s.at)).0, what })
        });
        let judged = (rule, severity, confidence, blocks_by);
        findings.push(finding(judged, fires, (at, excerpt), flow.collect()));
    }
    findings
}

type Judged = (&'static Rule, Severity, Confidence, Option<Blocks>);

/// What bytes that arrived somewhere mean.
fn judged(
    tree: &Tree,
    waves: &Waves,
    id: waves::Id,
    hit: &Hit,
    fires: Fires,
    kinds: &BTreeMap<Option<Name>, Vec<&'static str>>,
) -> Option<Judged> {
    let is_command = waves.is_of_command(id);
    Some(match (hit.sink, &hit.source) {
        (Some(sink), Source::Network(Some(endpoint))) if is_loopback(endpoint) => {
            (rule_of(sink), Severity::Medium, Confidence::Medium, None)
        }
        (Some(sink), Source::Network(Some(endpoint))) if known::is_registry(host(endpoint)) => {
            (rule_of(sink), Severity::Medium, Confidence::Medium, None)
        }
        // A file that is executed, not what a command pipes to a shell.
        (Some(sink), Source::Network(Some(endpoint)))
            if sink == Sink::Shell && !is_command && is_release(tree, endpoint) =>
        {
            (rule_of(sink), Severity::Medium, Confidence::Medium, None)
        }
        (Some(Sink::Shell), Source::Network(_)) if is_command && fires.is_auto() => {
            (&rules::auto_run_command::RULE, Severity::Critical, Confidence::High, Some(Blocks::B2))
        }
        (Some(sink), Source::Network(Some(_))) => {
            (rule_of(sink), Severity::Critical, Confidence::High, Some(Blocks::B1))
        }
        (Some(Sink::Shell), Source::Network(None)) if is_command => {
            (rule_of(Sink::Shell), Severity::Medium, Confidence::Medium, None)
        }
        (Some(_), Source::Network(None)) if odd::chosen_by_header(tree, waves, id, hit.at) => {
            (&rules::parser_by_header::RULE, Severity::Medium, Confidence::Medium, None)
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
        (Some(Sink::Interpreter), Source::Stored(path)) if hides_code(path) => (
            &rules::decoded_constant_runs::RULE,
            Severity::Critical,
            Confidence::High,
            Some(Blocks::B1),
        ),
        (Some(_), Source::Stored(_)) => {
            (&rules::odd_file_runs::RULE, Severity::Medium, Confidence::Medium, None)
        }
        (None, Source::Secret(_)) => {
            let kinds = kinds.get(&hit.endpoint).map_or(&[][..], |k| k);
            let enough = kinds.len() >= 2 || kinds.iter().any(|k| known::is_strong(k));
            let known = hit.endpoint.as_deref().is_some_and(|e| !is_loopback(e));
            let blocks = (enough && known).then_some(Blocks::B3);
            let strong = kinds.iter().any(|k| known::is_strong(k));
            let own = hit.endpoint.as_deref().is_some_and(|e| {
                !kinds.is_empty() && kinds.iter().all(|kind| is_token_of(kind, host(e)))
            });
            let severity = match (blocks, &hit.endpoint) {
                (Some(_), _) => Severity::Critical,
                // Libraries send what they are given to whom they are told; a token goes to the service that gave it.
                (None, None) if !strong => Severity::Note,
                (None, Some(_)) if own => Severity::Note,
                _ => Severity::Medium,
            };
            (&rules::secrets_leave::RULE, severity, Confidence::High, blocks)
        }
        _ => return None,
    })
}

/// Whether an endpoint is a release on the host where the project is at home, as its manifest names that: by its host and
/// path.
fn is_release(tree: &Tree, endpoint: &str) -> bool {
    let path = endpoint.split_once("://").map_or("", |(_, rest)| rest);
    let mut parts = path.split('/').skip(3);
    if parts.next() != Some("releases") {
        return false;
    }
    let home = host(endpoint);
    let names = |url: &str| {
        // `owner/name` alone, and `github:owner/name`, are short for GitHub.
        let short = !url.contains("://") && !url.contains('@');
        match short {
            true => {
                home == "github.com" && url.trim_start_matches("github:").split('/').count() == 2
            }
            false => host(url.trim_start_matches("git+")) == home,
        }
    };
    tree.files.iter().any(|f| match f.name() {
        "package.json" => serde_json::from_slice::<serde_json::Value>(&f.bytes).is_ok_and(|json| {
            let repository = json.get("repository");
            let url = repository.and_then(|r| r.as_str().or_else(|| r.get("url")?.as_str()));
            url.is_some_and(names)
        }),
        "pyproject.toml" | "setup.cfg" | "setup.py" | "Cargo.toml" => {
            let text = f.text();
            text.match_indices("https://").any(|(at, _)| {
                let url = text.get(at..).unwrap_or_default();
                let end = url.find(|c: char| c.is_whitespace() || "\"'<>,;)".contains(c));
                let url = url.get(..end.unwrap_or(url.len())).unwrap_or_default();
                let repository = url.split('/').skip(3).filter(|p| !p.is_empty()).count() >= 2;
                repository && host(url) == home
            })
        }
        _ => false,
    })
}

/// Whether a kind of secret is the token of the service at a host.
fn is_token_of(kind: &str, host: &str) -> bool {
    match kind {
        known::TOKEN_OF_GITHUB => {
            matches!(host, "api.github.com" | "github.com" | "uploads.github.com")
        }
        known::TOKEN_OF_NPM => host == "registry.npmjs.org",
        _ => false,
    }
}

/// Whether a file is of a kind in which nobody keeps code: a picture, a font, a blob.
fn hides_code(path: &str) -> bool {
    const BLOBS: [&str; 19] = [
        "woff", "woff2", "ttf", "otf", "eot", "png", "jpg", "jpeg", "gif", "ico", "webp", "bmp",
        "mp3", "mp4", "wav", "pdf", "dat", "bin", "svg",
    ];
    path.rsplit_once('.').is_some_and(|(_, e)| BLOBS.contains(&e.to_lowercase().as_str()))
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
    let after = |start: &str| endpoint.strip_prefix(start);
    let rest = endpoint.split_once("://").map(|(_, rest)| rest);
    let rest = rest.or_else(|| after("https:")).or_else(|| after("http:")).unwrap_or(endpoint);
    let rest = rest.trim_start_matches(['/', '\\']);
    // Clients take either slash for the end of it.
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
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
