//! `coinjoin classify`: JSON lines, one a transaction.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

use chaingraph::header;
use chaingraph::script::ScriptKind;
use serde_json::{Value, json};
use trace::coinjoin::{Class, Finding, classify};
use trace::view::{Input, Output, TxView, Viewer, is_coordinator, pushed};

use super::open;
use crate::cli::{Classify, CoinJoin};
use crate::fail::{Done, Fail};

/// A line with more is no transaction: a block has 4 MB, and Esplora's form writes it about ten times as long.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Runs a coinjoin command.
pub fn run(command: &CoinJoin) -> Done {
    let CoinJoin::Classify(args) = command;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let result = match (&args.graph, &args.txs) {
        (Some(graph), _) => of_graph(graph, args, &mut out),
        (None, Some(file)) => of_file(file, args, &mut out),
        (None, None) => Ok(()),
    };
    result.and(crate::show::written(out.flush()))
}

fn say(txid: &str, found: &Finding, args: &Classify, out: &mut impl std::io::Write) -> Done {
    if args.found && found.class == Class::None {
        return Ok(());
    }
    let mut line = json!({
        "txid": txid,
        "class": found.class.word(),
        "confidence": (found.confidence * 100.0).round() / 100.0,
        "participants": found.participants,
        "denominations": found.denominations,
    });
    if let Value::Object(members) = &mut line {
        if found.is_tx0 {
            members.insert("note".to_owned(), json!("tx0"));
        }
        if !found.evidence.is_empty() {
            members.insert("evidence".to_owned(), json!(found.evidence));
        }
    }
    crate::show::written(writeln!(out, "{line}"))
}

fn of_graph(path: &Path, args: &Classify, out: &mut impl std::io::Write) -> Done {
    let graph = open(path)?;
    let viewer = Viewer::new(&graph);
    let mut view = TxView::default();
    for row in graph.blocks() {
        for tx in graph.txs_of(&row).map(chaingraph::TxNum) {
            viewer.read(tx, row.time, &mut view);
            let found = classify(&view);
            if !(args.found && found.class == Class::None) {
                say(&header::show(&graph.txid(tx)), &found, args, out)?;
            }
        }
    }
    Ok(())
}

fn of_file(path: &Path, args: &Classify, out: &mut impl std::io::Write) -> Done {
    let file = File::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Fail::malformed(path.display(), "", "no such file"),
        _ => Fail::failed(format!("{}: {e}", path.display())),
    })?;
    let mut reader = BufReader::new(file);
    let head = reader.fill_buf().map_err(Fail::failed)?;
    let mut reader: Box<dyn BufRead> = if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(reader)))
    } else {
        Box::new(reader)
    };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let failed =
            |e: std::io::Error| Fail::malformed(path.display(), format!("line {number}"), e);
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if read.map_err(failed)? == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let malformed =
            |detail: String| Fail::malformed(path.display(), format!("line {number}"), detail);
        let value: Value = match serde_json::from_slice(&line) {
            Ok(value) => value,
            // One document over several lines, as people keep single transactions.
            Err(error) if error.is_eof() && number == 1 => {
                reader.take(LINE_BYTES_MAX).read_to_end(&mut line).map_err(failed)?;
                let value = serde_json::from_slice(&line).map_err(|e| malformed(e.to_string()))?;
                return judge(&value, args, out).map_err(|e| e.into_fail(malformed));
            }
            Err(error) => return Err(malformed(error.to_string())),
        };
        judge(&value, args, out).map_err(|e| e.into_fail(malformed))?;
    }
    Ok(())
}

enum Unjudged {
    Malformed(String),
    Fail(Fail),
}

impl Unjudged {
    fn into_fail(self, malformed: impl FnOnce(String) -> Fail) -> Fail {
        match self {
            Self::Malformed(detail) => malformed(detail),
            Self::Fail(fail) => fail,
        }
    }
}

/// Judges a transaction, one in a `{"label", "tx"}` wrapper, or a list of them.
fn judge(value: &Value, args: &Classify, out: &mut impl std::io::Write) -> Result<(), Unjudged> {
    if let Value::Array(list) = value {
        return list.iter().try_for_each(|tx| judge(tx, args, out));
    }
    let tx = if value.get("vin").is_some() { value } else { value.get("tx").unwrap_or(value) };
    let (txid, view) = read_esplora(tx).map_err(Unjudged::Malformed)?;
    say(&txid, &classify(&view), args, out).map_err(Unjudged::Fail)
}

/// Numbers may be written as text.
fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(n) => n.as_u64(),
        Value::String(s) => s.parse().ok(),
        _ => None,
    }
}

/// An amount that a transaction can have.
fn amount(value: Option<&Value>, at: &str) -> Result<u64, String> {
    let sat = number(value).ok_or_else(|| format!("{at} has no value"))?;
    if sat > chaingraph::amount::MAX_MONEY_SAT {
        return Err(format!("{at} has more than 21 million bitcoin"));
    }
    Ok(sat)
}

fn script(value: &Value, at: &str) -> Result<Vec<u8>, String> {
    let text = value.get("scriptpubkey").and_then(Value::as_str);
    let text = text.ok_or_else(|| format!("{at} has no scriptpubkey"))?;
    withdrawal::digest::unhex(text).map_err(|_| format!("{at}: scriptpubkey is not hex"))
}

/// Reads a transaction as Esplora has it. What the rules don't ask may be missing.
fn read_esplora(tx: &Value) -> Result<(String, TxView), String> {
    let txid = tx.get("txid").and_then(Value::as_str).ok_or("no txid")?.to_owned();
    let mut names = Names::default();
    let mut view = TxView::default();
    let mut prevouts = Vec::new();
    let list =
        |name: &str| tx.get(name).and_then(Value::as_array).ok_or_else(|| format!("no {name}"));
    for (n, input) in list("vin")?.iter().enumerate() {
        let at = format!("vin[{n}]");
        let from = input.get("txid").and_then(Value::as_str);
        let null = from.is_some_and(|t| t.bytes().all(|b| b == b'0'));
        let is_coinbase = input.get("is_coinbase") == Some(&Value::Bool(true)) || null;
        match input.get("prevout") {
            Some(prevout @ Value::Object(_)) => {
                let script = script(prevout, &at)?;
                let value = amount(prevout.get("value"), &at)?;
                view.spends_coordinator |= is_coordinator(&script);
                view.inputs.push(Input {
                    value: Some(value),
                    kind: Some(ScriptKind::of(&script)),
                    script: Some(names.of(script)),
                    from: from.map(|t| u64::from(names.of(t.as_bytes().to_vec()))),
                });
            }
            // Null is a coinbase, unless there are others: then it is a coin that nobody knows.
            _ if is_coinbase || list("vin")?.len() == 1 => view.is_coinbase = true,
            _ => view.inputs.push(Input { value: None, script: None, kind: None, from: None }),
        }
        prevouts.push(from.map(|t| (t.to_owned(), number(input.get("vout")).unwrap_or(0))));
    }
    let mut outputs = Vec::new();
    for (n, output) in list("vout")?.iter().enumerate() {
        let at = format!("vout[{n}]");
        let script = script(output, &at)?;
        let value = amount(output.get("value"), &at)?;
        outputs.push((value, script.clone()));
        let kind = ScriptKind::of(&script);
        let is_data = kind == ScriptKind::Data;
        view.outputs.push(Output {
            value,
            kind,
            pushed: if is_data { pushed(&script) } else { None },
            coordinator: is_coordinator(&script),
            script: (!is_data).then(|| names.of(script)),
        });
    }
    let known: Option<Vec<_>> = prevouts.into_iter().collect();
    view.sorted_inputs = known.map(|list| list.is_sorted());
    view.sorted_outputs = outputs.is_sorted();
    let time = tx.get("status").and_then(|s| number(s.get("block_time")));
    view.time = time.and_then(|t| u32::try_from(t).ok());
    Ok((txid, view))
}

/// Numbers for scripts and txids, the same for the same bytes.
#[derive(Default)]
struct Names(HashMap<Vec<u8>, u32>);

impl Names {
    fn of(&mut self, bytes: Vec<u8>) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(bytes).or_insert(next)
    }
}
