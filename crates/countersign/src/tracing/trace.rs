//! `trace forward` and `backward`: sources are read, traces made, results said.

use std::collections::HashSet;
use std::path::Path;

use chaingraph::{Graph, OutputNum, TxNum, header};
use serde_json::{Value, json};
use trace::labels::{Attribution, Kind};
use trace::taint::{Direction, Method, Query, trace};

use super::name::{self, Named};
use super::progress::{Unit, bar};
use super::{found, labels, open};
use crate::cli::{Trace as Command, TracePath, TraceRun};
use crate::cmd::Context;
use crate::fail::{Done, Fail};

/// Runs a trace command.
pub fn run(cx: Context, command: &Command) -> Done {
    match command {
        Command::Forward(args) => run_direction(cx, Direction::Forward, args),
        Command::Backward(args) => run_direction(cx, Direction::Backward, args),
        Command::Path(args) => path(cx, args),
    }
}

/// `trace path`: ways from one thing to another.
fn path(cx: Context, args: &TracePath) -> Done {
    let graph = open(&args.graph)?;
    let (attribution, versions) = labels::load(&graph, &args.labels)?;
    let ground = Ground { graph, attribution, versions, until: None };
    let from = sources(&ground, std::slice::from_ref(&args.from))?;
    let to = sources(&ground, std::slice::from_ref(&args.to))?;
    let drawn = bar("looking for ways", 1, Unit::Things);
    let (ways, whole) = trace::path::ways(&ground.graph, &from, &to, &mut |at, of| {
        drawn.set_length(of);
        drawn.set_position(at);
    });
    drawn.finish_and_clear();
    let graph = &ground.graph;
    let complete = whole && graph.manifest().complete;
    let step = |s: &trace::path::Step| {
        let block = graph.block_of(s.tx);
        json!({"outpoint": name::outpoint(graph, s.output), "address": name::address_of(graph, s.output),
            "value_sat": graph.value(s.output), "strength": s.strength, "mixed": s.mixed,
            "height": block.and_then(|b| b.height), "time": block.map(|b| name::time(b.time)),
            "label": label_of(&ground, s.output)})
    };
    let list: Vec<Value> = ways
        .iter()
        .map(|w| {
            json!({"strength": w.strength, "weakest": w.weakest().map(step),
                "steps": w.steps.iter().map(step).collect::<Vec<_>>()})
        })
        .collect();
    let mut text = match ways.len() {
        0 => "no way".to_owned(),
        n => format!("{}, the strongest first", crate::show::counted(n, "way")),
    };
    if !whole {
        text.push_str("\nthe search was cut off, after two million outputs or at inputs of unknown value: there may be others");
    }
    if !graph.manifest().complete {
        text.push_str("\nthe graph has holes: there may be others");
    }
    for way in &ways {
        text.push_str(&format!("\n\n  strength {:.6}, {} steps", way.strength, way.steps.len()));
        for s in &way.steps {
            let weak = if Some(s) == way.weakest() { "  <- weakest" } else { "" };
            let mix = if s.mixed { " out of a mix" } else { "" };
            let btc = crate::show::btc(bitcoin::Amount::from_sat(graph.value(s.output)));
            let time = graph.block_of(s.tx).map(|b| name::time(b.time)).unwrap_or_default();
            let label = label_of(&ground, s.output).map(|l| format!(" ({l})")).unwrap_or_default();
            text.push_str(&format!(
                "\n    {}  {time}\n      {btc} to {}{label}, {:.2} %{mix}{weak}",
                name::outpoint(graph, s.output),
                name::address_of(graph, s.output).unwrap_or_else(|| "no address".to_owned()),
                s.strength * 100.0
            ));
        }
    }
    cx.say(
        &json!({"paths": list, "complete": complete, "cut": !whole, "label_versions": ground.versions}),
        &text,
    );
    Ok(())
}

/// The surest label of an output's script.
fn label_of(ground: &Ground, output: OutputNum) -> Option<String> {
    let script = ground.graph.script(output)?;
    let labels = ground.attribution.of(&ground.graph, script);
    labels.first().map(|l| l.label.label.clone())
}

/// What a trace is over.
pub struct Ground {
    /// The graph.
    pub graph: Graph,
    /// Who owns what.
    pub attribution: Attribution,
    /// Label files by hash.
    pub versions: Vec<Value>,
    /// The first transaction that is too late.
    pub until: Option<TxNum>,
}

fn run_direction(cx: Context, direction: Direction, args: &TraceRun) -> Done {
    let graph = open(&args.graph)?;
    let (attribution, versions) = labels::load(&graph, &args.labels)?;
    let until = args.until.as_deref().map(|text| read_until(&graph, text)).transpose()?.flatten();
    let ground = Ground { graph, attribution, versions, until };
    let sources = sources(&ground, &args.sources)?;
    let mut reports = Vec::new();
    for method in methods(&args.method)? {
        let query = Query {
            until,
            min_sat: args.min_sat,
            budget: args.budget,
            stop: kinds(&args.stop, &ground.attribution)?,
            through_mixers: args.through_mixers,
            ..Query::new(direction, method, sources.clone())
        };
        let drawn = bar("following", ground.graph.counts().txs, Unit::Things);
        let result =
            trace(&ground.graph, &ground.attribution, &query, &mut |at, _| drawn.set_position(at));
        drawn.finish_and_clear();
        let found = result.map_err(|e| Fail::Damaged(e.to_string()))?;
        reports.push(found::Report::new(&ground, query, found));
    }
    found::write_files(cx, args, &ground, &reports)?;
    if let Some(dir) = &args.case {
        super::case::write(cx, dir, &asked(direction, args), &ground, &reports)?;
    }
    if cx.json {
        cx.say(&found::json(&ground, &reports), "");
    } else {
        let text = reports.iter().map(|r| found::text(&ground, r)).collect::<Vec<_>>().join("\n");
        cx.say(&Value::Null, &text);
    }
    Ok(())
}

/// The question, as a case keeps it.
fn asked(direction: Direction, args: &TraceRun) -> Value {
    json!({
        "direction": if direction == Direction::Forward { "forward" } else { "backward" },
        "sources": args.sources, "method": args.method, "until": args.until, "min_sat": args.min_sat,
        "budget": args.budget, "stop": args.stop, "through_mixers": args.through_mixers,
    })
}

fn methods(word: &str) -> Result<Vec<Method>, Fail> {
    if word == "all" {
        return Ok(Method::ALL.to_vec());
    }
    let found = Method::ALL.into_iter().find(|m| m.word() == word);
    found.map(|m| vec![m]).ok_or_else(|| Fail::malformed("--method", word, "not a method"))
}

/// The kinds that end: those of CONTRACT, or exactly those given; `none` alone ends nowhere.
fn kinds(words: &[String], labels: &Attribution) -> Result<HashSet<Kind>, Fail> {
    if words.is_empty() {
        return Ok(Kind::ENDING.into_iter().collect());
    }
    let mut kinds = HashSet::new();
    for word in words.iter().filter(|w| *w != "none") {
        let kind = Kind::of_word(word);
        // A misspelt kind would end nowhere, and nobody would know.
        let is_known =
            !matches!(kind, Kind::Other(_)) || labels.labels().iter().any(|l| l.kind == kind);
        if !is_known {
            return Err(Fail::malformed("--stop", word, "no label is of that kind"));
        }
        kinds.insert(kind);
    }
    Ok(kinds)
}

/// A height, or a time in RFC 3339: the first transaction of the first block that is later.
fn read_until(graph: &Graph, text: &str) -> Result<Option<TxNum>, Fail> {
    let later: Box<dyn Fn(&chaingraph::row::BlockRow) -> bool> = match text.parse::<u32>() {
        Ok(height) => Box::new(move |row| row.height.is_some_and(|h| h > height)),
        Err(_) => {
            let time = text.parse::<withdrawal::time::Timestamp>().map_err(|e| {
                Fail::malformed(
                    "--until",
                    text,
                    format!("neither a height nor a time (RFC 3339): {e}"),
                )
            })?;
            let secs = time.secs();
            Box::new(move |row| u64::from(row.time) > secs)
        }
    };
    let unknown = graph.blocks().filter(|row| row.height.is_none()).count();
    if unknown > 0 && text.parse::<u32>().is_ok() {
        crate::show::tell(&format!(
            "countersign: {unknown} blocks of unknown height are counted as not later than {text}"
        ));
    }
    let row = graph.blocks().find(|row| later(row));
    Ok(row.map(|row| TxNum(u32::try_from(row.before.txs).unwrap_or(u32::MAX))))
}

/// What the sources stand for: an outpoint for itself, a txid for all its outputs, an address for what it received.
fn sources(ground: &Ground, texts: &[String]) -> Result<Vec<OutputNum>, Fail> {
    let graph = &ground.graph;
    let mut all = Vec::new();
    for text in texts {
        match name::read(graph, text)? {
            Named::Output(output) => all.push(output),
            Named::Txs(txs) => {
                all.extend(txs.last().into_iter().flat_map(|tx| graph.outputs_of(*tx)))
            }
            Named::Address(_, None) => {
                crate::show::tell(&format!(
                    "countersign: {}: no output of the graph pays it",
                    crate::show::clean(text)
                ));
            }
            Named::Address(_, Some(script)) => {
                let early = |o: &OutputNum| {
                    ground.until.is_none_or(|until| graph.tx_of(*o).is_some_and(|tx| tx < until))
                };
                all.extend(graph.outputs_with(&[script]).into_iter().filter(early));
            }
            Named::Height(_) | Named::Block(_) => {
                return Err(Fail::malformed(
                    "source",
                    text,
                    "a source is an outpoint, a txid or an address",
                ));
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The last block that counts.
pub fn last_block(ground: &Ground) -> Option<chaingraph::row::BlockRow> {
    let graph = &ground.graph;
    match ground.until {
        Some(until) => graph.blocks().take_while(|row| row.before.txs < u64::from(until.0)).last(),
        None => graph.blocks().last(),
    }
}

/// The last block that counts, as JSON.
pub fn as_of(ground: &Ground) -> Value {
    last_block(ground).map_or(Value::Null, |row| {
        json!({"height": row.height, "hash": header::show(&row.hash), "time": name::time(row.time)})
    })
}

/// Writes a file that a flag names.
pub fn write(cx: Context, path: Option<&Path>, content: impl FnOnce() -> String) -> Done {
    match path {
        Some(path) => crate::files::write(path, content().as_bytes(), cx.force, false),
        None => Ok(()),
    }
}
