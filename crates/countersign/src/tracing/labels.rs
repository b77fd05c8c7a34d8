//! Label lists: the sanctions list of the United States' OFAC, GraphSense TagPacks, our own CSV and JSON. Every label
//! keeps its source, the source's hash, its confidence and date; what is left out is counted and said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bitcoin::Address;
use bitcoin::address::NetworkUnchecked;
use bitcoin::hashes::{Hash as _, sha256};
use chaingraph::{Graph, ScriptNum};
use serde::{Deserialize, Serialize};
use serde_json::json;
use trace::labels::{Attribution, Kind, Label};

use super::name;
use super::tagpack;
use crate::cli::Labels as Command;
use crate::cmd::Context;
use crate::fail::{Done, Fail};

/// A label as CONTRACT writes it; unknown members are refused in our own files, as a misspelt one would be lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    address: String,
    label: String,
    kind: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    source_sha256: String,
    confidence: f64,
    #[serde(default)]
    date: Option<String>,
    #[serde(default)]
    abuse: Option<String>,
}

impl Row {
    /// For writing.
    fn of(label: &Label) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            address: label.address.clone(),
            label: label.label.clone(),
            kind: label.kind.word().to_owned(),
            source: label.source.clone(),
            source_sha256: label.source_sha256.clone(),
            confidence: label.confidence,
            date: some(&label.date),
            abuse: some(&label.abuse),
        }
    }

    fn into_label(self, file: &str, sha256: &str) -> Result<Label, String> {
        if !(0.0..=1.0).contains(&self.confidence) {
            return Err(format!("confidence {} is not between 0 and 1", self.confidence));
        }
        let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
        Ok(Label {
            address: self.address,
            label: self.label,
            kind: Kind::of_word(&self.kind.trim().to_lowercase()),
            source: or(self.source, file),
            source_sha256: or(self.source_sha256, sha256),
            confidence: self.confidence,
            date: self.date.unwrap_or_default(),
            abuse: self.abuse.unwrap_or_default(),
        })
    }
}

/// What was read of one file.
#[derive(Debug, Default)]
pub struct Read {
    /// Good labels of Bitcoin addresses.
    pub labels: Vec<Label>,
    /// What was left out, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// The first that was left out for each reason.
    first: BTreeMap<String, String>,
    /// Files that this one includes, each with its hash.
    pub included: Option<(String, String)>,
    /// SHA-256 of the file as it was read, in hex.
    sha256: String,
}

impl Read {
    /// Counts something left out; of each reason the first is named.
    pub fn leave_out(&mut self, reason: &str, what: &str) {
        *self.left_out.entry(reason.to_owned()).or_default() += 1;
        self.first.entry(reason.to_owned()).or_insert_with(|| what.to_owned());
    }

    /// Takes a label if its address is one of Bitcoin's, on any of its networks.
    pub fn take(&mut self, mut label: Label) {
        let address = label.address.trim();
        match address.parse::<Address<NetworkUnchecked>>() {
            Ok(_) => {
                label.address = canonical(address);
                self.labels.push(label);
            }
            // Taproot keys that are no points, on test chains.
            Err(_) if bitcoin::bech32::segwit::decode(address).is_ok() => {
                label.address = canonical(address);
                self.labels.push(label);
            }
            Err(_) => self.leave_out("no address of Bitcoin", &label.address),
        }
    }
}

/// Bech32 in lower case, as BIP 173 shows it; base58 as it is.
fn canonical(address: &str) -> String {
    let is_upper = address.chars().all(|c| !c.is_ascii_lowercase());
    if is_upper { address.to_lowercase() } else { address.to_owned() }
}

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Ofac,
    TagPack,
    Csv,
    Json,
}

impl Form {
    const fn files(self) -> &'static str {
        match self {
            Self::Ofac => "*.txt",
            Self::TagPack => "*.yaml, *.yml",
            Self::Csv => "*.csv",
            Self::Json => "*.json, *.jsonl",
        }
    }
}

/// A file of labels with more bytes is refused.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Reads a file whose form is told by its name, else by its first byte, or a folder of TagPacks.
fn read_any(path: &Path) -> Result<Vec<(PathBuf, Read)>, Fail> {
    if path.is_dir() {
        return read(path, Form::TagPack);
    }
    // Read once: it may be a pipe.
    let bytes = bytes_of(path)?;
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let form = match extension.as_deref() {
        Some("yaml" | "yml") => Form::TagPack,
        Some("csv") => Form::Csv,
        Some("json" | "jsonl") => Form::Json,
        // What `labels import` wrote may have any name.
        _ => match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Form::Json,
            _ => Form::Ofac,
        },
    };
    let folder = path.parent().unwrap_or(path);
    Ok(vec![(path.to_owned(), read_bytes(&bytes, path, form, folder)?)])
}

fn read(path: &Path, form: Form) -> Result<Vec<(PathBuf, Read)>, Fail> {
    if path.is_dir() {
        let mut files = Vec::new();
        collect(path, form, &mut files, 0)?;
        if files.is_empty() {
            let why = format!("the folder has no file of labels ({})", form.files());
            return Err(Fail::malformed(path.display(), "", why));
        }
        let one = |file: PathBuf| {
            let read = read_bytes(&bytes_of(&file)?, &file, form, path)?;
            Ok((file, read))
        };
        return files.into_iter().map(one).collect();
    }
    let folder = path.parent().unwrap_or(path);
    Ok(vec![(path.to_owned(), read_bytes(&bytes_of(path)?, path, form, folder)?)])
}

fn collect(dir: &Path, form: Form, files: &mut Vec<PathBuf>, depth: u32) -> Done {
    let failed = |e: std::io::Error| Fail::failed(format!("{}: {e}", dir.display()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        names.push(entry.map_err(failed)?);
    }
    names.sort_by_key(std::fs::DirEntry::file_name);
    for entry in names {
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let wanted = match form {
            Form::TagPack => {
                // Other YAML of a pack repository: settings, actors, headers for packs.
                let other =
                    name == "config.yaml" || name == "header.yaml" || name.contains("actorpack");
                (name.ends_with(".yaml") || name.ends_with(".yml")) && !other
            }
            Form::Csv => name.ends_with(".csv"),
            Form::Json => name.ends_with(".json") || name.ends_with(".jsonl"),
            Form::Ofac => name.ends_with(".txt"),
        };
        if kind.is_dir() && depth < 8 {
            collect(&path, form, files, depth + 1)?;
        } else if kind.is_file() && wanted {
            files.push(path);
        } else if wanted || kind.is_dir() {
            let why = if kind.is_dir() { "too deep" } else { "not a file of its own" };
            crate::show::tell(&format!("countersign: {}: left out: {why}", path.display()));
        }
    }
    Ok(())
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Fail> {
    use std::io::Read as _;
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Fail::malformed(path.display(), "", "no such file"),
        _ => Fail::failed(format!("{}: {e}", path.display())),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Fail::malformed(path.display(), "", "more than a gigabyte"));
    }
    // A download that failed must not pass for a list of nobody.
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Fail::malformed(path.display(), "", "the file is empty"));
    }
    Ok(bytes)
}

/// Reads what a file holds; what it includes must lie in `folder`.
fn read_bytes(bytes: &[u8], path: &Path, form: Form, folder: &Path) -> Result<Read, Fail> {
    let sha256 = sha256::Hash::hash(bytes).to_string();
    let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let read = match form {
        Form::Ofac => ofac(bytes, path, &file, &sha256),
        Form::TagPack => tagpack::read(bytes, path, folder, &file, &sha256),
        Form::Csv => csv(bytes, path, &file, &sha256),
        Form::Json => json(bytes, path, &file, &sha256),
    };
    Ok(Read { sha256, ..read? })
}

/// One address a line, as the published extracts of the list have it. The date is in the file's name.
fn ofac(bytes: &[u8], path: &Path, file: &str, sha256: &str) -> Result<Read, Fail> {
    let mut read = Read::default();
    let malformed = |why: &str| Fail::malformed(path.display(), "", why);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| malformed("no form of labels that is known: it is not text"))?
        .trim_start_matches('\u{feff}');
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        read.take(Label {
            address: line.to_owned(),
            label: "OFAC SDN".to_owned(),
            kind: Kind::Sanctioned,
            source: file.to_owned(),
            source_sha256: sha256.to_owned(),
            confidence: 1.0, // the list is the law's own text
            date: date_in(file),
            abuse: "sanction".to_owned(),
        });
    }
    // Who gives a wrong file must not believe that addresses were looked up in it.
    let others: u64 = read.left_out.values().sum();
    if others >= read.labels.len() as u64 && !text.trim().is_empty() {
        return Err(malformed(
            "taken for a list of addresses, one a line, but most lines are none of Bitcoin",
        ));
    }
    Ok(read)
}

/// The first `2024-09` or `2024-09-30` in a file's name.
fn date_in(file: &str) -> String {
    let is_date = |part: &str| {
        part.bytes()
            .enumerate()
            .all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() })
    };
    let found = |len: usize| {
        (0..file.len().saturating_sub(len - 1))
            .find_map(|at| file.get(at..at + len).filter(|p| is_date(p)))
    };
    found(10).or_else(|| found(7)).unwrap_or_default().to_owned()
}

/// Columns that our own lists have.
const NEEDED: [&str; 4] = ["address", "label", "kind", "confidence"];
/// Columns that they may have.
const OPTIONAL: [&str; 4] = ["source", "source_sha256", "date", "abuse"];

fn csv(bytes: &[u8], path: &Path, file: &str, sha256: &str) -> Result<Read, Fail> {
    let mut read = Read::default();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let head = reader.headers().map_err(|e| Fail::malformed(path.display(), "line 1", e))?;
    let is_known = |name: &str| NEEDED.contains(&name) || OPTIONAL.contains(&name);
    if !head.iter().all(is_known) || !NEEDED.iter().all(|name| head.iter().any(|h| h == *name)) {
        let head = head.iter().collect::<Vec<_>>().join(",");
        let (needed, optional) = (NEEDED.join(","), OPTIONAL.join(","));
        let why =
            format!("the columns are {needed}, and if you like {optional}; here stands `{head}`");
        return Err(Fail::malformed(path.display(), "line 1", why));
    }
    for row in reader.deserialize::<Row>() {
        let row = row.map_err(|e| {
            let line = e.position().map_or(0, csv::Position::line);
            Fail::malformed(path.display(), format!("line {line}"), e)
        })?;
        let place = row.address.clone();
        let label = row.into_label(file, sha256);
        read.take(label.map_err(|e| Fail::malformed(path.display(), place, e))?);
    }
    Ok(read)
}

/// A list, or one object a line.
fn json(bytes: &[u8], path: &Path, file: &str, sha256: &str) -> Result<Read, Fail> {
    let mut read = Read::default();
    let malformed = |at: String, e: String| Fail::malformed(path.display(), at, e);
    let is_list = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
    let rows: Vec<Row> = if is_list {
        serde_json::from_slice(bytes)
            .map_err(|e| malformed(format!("line {}", e.line()), e.to_string()))?
    } else {
        let rows = serde_json::Deserializer::from_slice(bytes).into_iter::<Row>();
        rows.enumerate()
            .map(|(n, row)| row.map_err(|e| malformed(format!("label {}", n + 1), e.to_string())))
            .collect::<Result<_, _>>()?
    };
    for row in rows {
        let place = row.address.clone();
        read.take(row.into_label(file, sha256).map_err(|e| malformed(place, e))?);
    }
    Ok(read)
}

/// Reads every file of `--labels` over a graph. What is left out is said on stderr, a line a file.
pub fn load(
    graph: &Graph,
    files: &[PathBuf],
) -> Result<(Attribution, Vec<serde_json::Value>), Fail> {
    let mut all: Vec<(ScriptNum, Label)> = Vec::new();
    let mut versions = Vec::new();
    for path in files {
        for (file, read) in read_any(path)? {
            say_left_out(&file, &read);
            if let Some((name, sha256)) = &read.included {
                versions.push(json!({"file": name, "sha256": sha256, "labels": 0}));
            }
            let name = file.file_name().map(|n| n.to_string_lossy().into_owned());
            versions
                .push(json!({"file": name, "sha256": read.sha256, "labels": read.labels.len()}));
            let count = read.labels.len();
            let mut of_network = 0_usize;
            for label in read.labels {
                // Addresses of other networks, and such as the graph never saw, don't matter to it.
                let script = name::script_of_address(graph, &label.address).ok();
                of_network += usize::from(script.is_some());
                if let Some(number) = script.and_then(|s| graph.find_script(&s)) {
                    all.push((number, label));
                }
            }
            if count == 0 {
                crate::show::tell(&format!("countersign: {}: it gives no label", file.display()));
            } else if of_network == 0 {
                let (file, network) = (file.display(), &graph.manifest().network);
                crate::show::tell(&format!(
                    "countersign: {file}: none of its {count} labels is for an address of {network}, as the graph is"
                ));
            }
        }
    }
    let attribution = Attribution::new(graph, all);
    for collapse in &attribution.collapsed {
        crate::show::tell(&format!(
            "countersign: cluster {} has labels of two services, {} and {}: nothing is carried through it (`cluster why` shows the join)",
            collapse.root, collapse.one.1, collapse.other.1
        ));
    }
    Ok((attribution, versions))
}

fn say_left_out(file: &Path, read: &Read) {
    if read.left_out.is_empty() {
        return;
    }
    let said = |(why, n): (&String, &u64)| {
        let first = read.first.get(why).filter(|f| !f.is_empty());
        let first = first.map(|f| format!(" (`{f}`{})", if *n > 1 { ", …" } else { "" }));
        format!("{n} {why}{}", first.unwrap_or_default())
    };
    let reasons: Vec<String> = read.left_out.iter().map(said).collect();
    let text = format!("{}: left out: {}", file.display(), reasons.join(", "));
    crate::show::tell(&format!("countersign: {}", crate::show::clean(&text)));
}

/// `labels import`.
pub fn run(cx: Context, command: Command) -> Done {
    let Command::Import { form, path, out } = command;
    let form = match form.as_str() {
        "ofac" => Form::Ofac,
        "tagpack" => Form::TagPack,
        "csv" => Form::Csv,
        _ => Form::Json,
    };
    let mut text = String::new();
    let (mut count, mut left_out) = (0_usize, BTreeMap::<String, u64>::new());
    for (file, read) in read(&path, form)? {
        say_left_out(&file, &read);
        count += read.labels.len();
        for (why, n) in &read.left_out {
            *left_out.entry(why.clone()).or_default() += n;
        }
        for label in &read.labels {
            text.push_str(&serde_json::to_string(&Row::of(label)).map_err(Fail::failed)?);
            text.push('\n');
        }
    }
    crate::files::write(&out, text.as_bytes(), cx.force, false)?;
    let json = json!({"labels": count, "left_out": left_out, "out": out});
    cx.say(&json, &format!("{count} labels written to {}", out.display()));
    Ok(())
}
