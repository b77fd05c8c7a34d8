//! `graph export`: four Parquet tables for DuckDB, DataFusion or Spark, where one machine ends. `docs/export.md` has
//! their columns, and queries that reproduce our clusters and one hop of haircut.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use chaingraph::{Graph, OutputNum, Prevout, ScriptNum, TxNum, header};
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::json;
use trace::join::apart;
use trace::view::{TxView, Viewer};

use super::name;
use super::open;
use super::progress::{Unit, bar};
use crate::cmd::Context;
use crate::fail::{Done, Fail};
use crate::files::Folder;

/// Rows of a row group: a few dozen megabytes in memory.
const ROWS: u64 = 1 << 20;

const TXS: &str = "message txs { REQUIRED INT64 num (INTEGER(64,false)); REQUIRED BYTE_ARRAY txid (STRING); \
REQUIRED INT64 block; OPTIONAL INT32 height; REQUIRED INT64 time; REQUIRED BOOLEAN coinbase; REQUIRED BOOLEAN joins; }";
const OUTPUTS: &str = "message outputs { REQUIRED INT64 num; REQUIRED INT64 tx; REQUIRED INT32 vout; \
REQUIRED INT64 value_sat; OPTIONAL INT64 script; OPTIONAL INT64 spender; }";
const INPUTS: &str = "message inputs { REQUIRED INT64 tx; REQUIRED INT32 vin; OPTIONAL INT64 output; \
OPTIONAL INT64 script; OPTIONAL INT64 value_sat; }";
const SCRIPTS: &str = "message scripts { REQUIRED INT64 num; OPTIONAL BYTE_ARRAY address (STRING); \
REQUIRED BYTE_ARRAY kind (STRING); REQUIRED INT64 cluster; }";

/// Runs the command.
pub fn run(cx: Context, graph: &Path, dir: &Path) -> Done {
    let graph = open(graph)?;
    let tables: [(&str, Table); 4] =
        [("txs", txs), ("outputs", outputs), ("inputs", inputs), ("scripts", scripts)];
    let file_of = |name: &str| format!("{name}.parquet");
    let names = tables.map(|(name, _)| file_of(name));
    let is_ours = move |found: &str| names.iter().any(|name| name == found);
    let folder = Folder::new(dir, cx.force, is_ours)?;
    let drawn = bar("writing tables", 4, Unit::Things);
    let mut rows = serde_json::Map::new();
    for (name, table) in tables {
        let path = folder.path().join(file_of(name));
        let failed = |e: &dyn std::fmt::Display| Fail::failed(format!("{name}.parquet: {e}"));
        let file = File::create(&path).map_err(|e| failed(&e))?;
        let count = table(&graph, file).map_err(|e| failed(&e))?;
        File::open(&path).and_then(|file| file.sync_all()).map_err(|e| failed(&e))?;
        rows.insert(name.to_owned(), json!(count));
        drawn.inc(1);
    }
    folder.finish()?;
    drawn.finish_and_clear();
    let text = format!("four tables written to {}; docs/export.md has queries", dir.display());
    cx.say(&json!({"rows": rows, "dir": dir}), &text);
    Ok(())
}

type Table = fn(&Graph, File) -> Result<u64, ParquetError>;

fn writer(file: File, schema: &str) -> Result<SerializedFileWriter<File>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("countersign".to_owned())
        .build();
    SerializedFileWriter::new(file, Arc::new(parse_message_type(schema)?), Arc::new(properties))
}

/// The next column of a group: all values.
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    optional::<T>(group, values, None)
}

/// The next column of a group: values that are there, and for each row whether one is.
fn optional<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("more columns than the schema has".to_owned()));
    };
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}

/// Values and presence of an optional column.
fn split<T, V>(
    list: impl Iterator<Item = Option<T>>,
    value: impl Fn(T) -> V,
) -> (Vec<V>, Vec<i16>) {
    let (mut values, mut present) = (Vec::new(), Vec::new());
    for item in list {
        present.push(i16::from(item.is_some()));
        values.extend(item.map(&value));
    }
    (values, present)
}

/// Numbers of the graph as SQL has them.
fn int(n: impl Into<u64>) -> i64 {
    i64::try_from(n.into()).unwrap_or(i64::MAX)
}

fn small(n: u64) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn ranges(total: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..total.div_ceil(ROWS)).map(move |at| at * ROWS..total.min((at + 1) * ROWS))
}

fn tx_range(range: std::ops::Range<u64>) -> impl Iterator<Item = TxNum> + Clone {
    range.map(|n| TxNum(u32::try_from(n).unwrap_or(u32::MAX)))
}

fn txs(graph: &Graph, file: File) -> Result<u64, ParquetError> {
    let mut out = writer(file, TXS)?;
    let viewer = Viewer::new(graph);
    let mut view = TxView::default();
    for range in ranges(graph.counts().txs) {
        let list = || tx_range(range.clone());
        let blocks: Vec<_> = list().map(|tx| graph.block_of(tx)).collect();
        let rows: Vec<_> = blocks.iter().flatten().collect();
        let mut joins = Vec::with_capacity(rows.len());
        for (tx, row) in list().zip(&rows) {
            viewer.read(tx, row.time, &mut view);
            joins.push(!view.is_coinbase && apart(&view).is_none());
        }
        let mut group = out.next_row_group()?;
        column::<Int64Type>(&mut group, &list().map(|tx| int(tx.0)).collect::<Vec<_>>())?;
        let txids = list().map(|tx| ByteArray::from(header::show(&graph.txid(tx)).into_bytes()));
        column::<ByteArrayType>(&mut group, &txids.collect::<Vec<_>>())?;
        column::<Int64Type>(
            &mut group,
            &rows.iter().map(|r| int(r.before.blocks)).collect::<Vec<_>>(),
        )?;
        let (heights, present) = split(rows.iter().map(|r| r.height), |h| small(u64::from(h)));
        optional::<Int32Type>(&mut group, &heights, Some(&present))?;
        column::<Int64Type>(&mut group, &rows.iter().map(|r| int(r.time)).collect::<Vec<_>>())?;
        column::<BoolType>(
            &mut group,
            &list().map(|tx| graph.is_coinbase(tx)).collect::<Vec<_>>(),
        )?;
        column::<BoolType>(&mut group, &joins)?;
        group.close()?;
    }
    out.close()?;
    Ok(graph.counts().txs)
}

fn outputs(graph: &Graph, file: File) -> Result<u64, ParquetError> {
    let mut out = writer(file, OUTPUTS)?;
    for range in ranges(graph.counts().outputs) {
        let list = || range.clone().map(OutputNum);
        let mut group = out.next_row_group()?;
        column::<Int64Type>(&mut group, &list().map(|o| int(o.0)).collect::<Vec<_>>())?;
        let txs: Vec<TxNum> = list().map(|o| graph.tx_of(o).unwrap_or(TxNum(u32::MAX))).collect();
        column::<Int64Type>(&mut group, &txs.iter().map(|tx| int(tx.0)).collect::<Vec<_>>())?;
        let vout =
            |(o, tx): (OutputNum, &TxNum)| small(o.0.saturating_sub(graph.outputs_of(*tx).0.start));
        column::<Int32Type>(&mut group, &list().zip(&txs).map(vout).collect::<Vec<_>>())?;
        column::<Int64Type>(&mut group, &list().map(|o| int(graph.value(o))).collect::<Vec<_>>())?;
        let (values, present) = split(list().map(|o| graph.script(o)), |s: ScriptNum| int(s.0));
        optional::<Int64Type>(&mut group, &values, Some(&present))?;
        let (values, present) = split(list().map(|o| graph.spender(o)), |tx: TxNum| int(tx.0));
        optional::<Int64Type>(&mut group, &values, Some(&present))?;
        group.close()?;
    }
    out.close()?;
    Ok(graph.counts().outputs)
}

fn inputs(graph: &Graph, file: File) -> Result<u64, ParquetError> {
    let mut out = writer(file, INPUTS)?;
    let mut count = 0;
    // By transactions: a group has some more rows than they have.
    for range in ranges(graph.counts().txs) {
        let mut rows: Vec<(TxNum, u64, Prevout)> = Vec::new();
        for tx in tx_range(range) {
            let spent = graph.prevouts(tx).filter(|p| *p != Prevout::Coinbase);
            rows.extend(spent.enumerate().map(|(at, p)| (tx, at as u64, p)));
        }
        count += rows.len() as u64;
        let mut group = out.next_row_group()?;
        column::<Int64Type>(&mut group, &rows.iter().map(|r| int(r.0.0)).collect::<Vec<_>>())?;
        column::<Int32Type>(&mut group, &rows.iter().map(|r| small(r.1)).collect::<Vec<_>>())?;
        let held = |r: &(TxNum, u64, Prevout)| match r.2 {
            Prevout::Held(output) => Some(output.0),
            _ => None,
        };
        let (values, present) = split(rows.iter().map(held), int);
        optional::<Int64Type>(&mut group, &values, Some(&present))?;
        let (values, present) = split(rows.iter().map(|r| graph.prevout_script(r.2)), |s| int(s.0));
        optional::<Int64Type>(&mut group, &values, Some(&present))?;
        let (values, present) = split(rows.iter().map(|r| graph.prevout_value(r.2)), int);
        optional::<Int64Type>(&mut group, &values, Some(&present))?;
        group.close()?;
    }
    out.close()?;
    Ok(count)
}

fn scripts(graph: &Graph, file: File) -> Result<u64, ParquetError> {
    let mut out = writer(file, SCRIPTS)?;
    for range in ranges(graph.counts().scripts) {
        let list = || range.clone().map(|n| ScriptNum(u32::try_from(n).unwrap_or(u32::MAX)));
        let mut group = out.next_row_group()?;
        column::<Int64Type>(&mut group, &list().map(|s| int(s.0)).collect::<Vec<_>>())?;
        let address =
            |s: ScriptNum| graph.packed(s).and_then(|p| name::address(graph, &p.script()));
        let (values, present) =
            split(list().map(address), |a: String| ByteArray::from(a.into_bytes()));
        optional::<ByteArrayType>(&mut group, &values, Some(&present))?;
        let kind = |s: ScriptNum| graph.packed(s).map_or("other", |p| p.kind().word());
        let kinds = list().map(|s| ByteArray::from(kind(s).as_bytes().to_vec()));
        column::<ByteArrayType>(&mut group, &kinds.collect::<Vec<_>>())?;
        column::<Int64Type>(
            &mut group,
            &list().map(|s| int(graph.cluster(s).0)).collect::<Vec<_>>(),
        )?;
        group.close()?;
    }
    out.close()?;
    Ok(graph.counts().scripts)
}
