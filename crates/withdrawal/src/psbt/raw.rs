//! A strict reader of PSBT bytes as plain maps (BIP-174), and version 2 (BIP-370) made version 0.
//!
//! Nothing is interpreted here but what the conversion needs. Counts and lengths are checked against
//! the bytes that are there before anything is allocated.

use std::collections::BTreeMap;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};

use super::{PsbtFault, malformed};
use crate::code::{Code, Violation};

/// Bytes of the largest PSBT that is read: 1,000 inputs, each with its previous transaction.
pub const PSBT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most inputs of a transaction we serve.
pub const INPUTS_MAX: usize = 1_000;
/// Most outputs: a full batch and its change.
pub const OUTPUTS_MAX: usize = 2_001;

const MAGIC: &[u8] = b"psbt\xff";

const GLOBAL_UNSIGNED_TX: u8 = 0x00;
const GLOBAL_TX_VERSION: u8 = 0x02;
const GLOBAL_FALLBACK_LOCKTIME: u8 = 0x03;
const GLOBAL_INPUT_COUNT: u8 = 0x04;
const GLOBAL_OUTPUT_COUNT: u8 = 0x05;
const GLOBAL_TX_MODIFIABLE: u8 = 0x06;
const GLOBAL_VERSION: u8 = 0xfb;
const IN_PREVIOUS_TXID: u8 = 0x0e;
const IN_OUTPUT_INDEX: u8 = 0x0f;
const IN_SEQUENCE: u8 = 0x10;
const IN_REQUIRED_TIME: u8 = 0x11;
const IN_REQUIRED_HEIGHT: u8 = 0x12;
const OUT_AMOUNT: u8 = 0x03;
const OUT_SCRIPT: u8 = 0x04;

/// Key (type byte first) to value.
pub type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A PSBT of version 0 as plain maps, with its transaction.
#[derive(Debug)]
pub struct RawPsbt {
    /// The unsigned transaction.
    pub tx: Transaction,
    /// Bytes of the same PSBT as version 0, all fields kept.
    pub v0: Vec<u8>,
    /// What the maps already break, found while converting.
    pub violations: Vec<Violation>,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], PsbtFault> {
        let end = self.at.checked_add(count);
        let slice = end.and_then(|end| self.bytes.get(self.at..end));
        let slice = slice.ok_or_else(|| malformed(self.at, "ends early"))?;
        self.at += count;
        Ok(slice)
    }

    fn compact_size(&mut self) -> Result<usize, PsbtFault> {
        let start = self.at;
        let first = *self.take(1)?.first().unwrap_or(&0);
        let (width, least) = match first {
            0xfd => (2, 0xfd),
            0xfe => (4, 0x1_0000),
            0xff => (8, 0x1_0000_0000),
            small => return Ok(usize::from(small)),
        };
        let value = self.take(width)?.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        if value < least {
            return Err(malformed(start, "compact size is not the shortest"));
        }
        usize::try_from(value).map_err(|_| malformed(start, "compact size"))
    }

    fn map(&mut self) -> Result<Map, PsbtFault> {
        let mut map = Map::new();
        loop {
            let start = self.at;
            let key_length = self.compact_size()?;
            if key_length == 0 {
                return Ok(map);
            }
            let key = self.take(key_length)?.to_vec();
            let value_length = self.compact_size()?;
            let value = self.take(value_length)?.to_vec();
            if map.insert(key, value).is_some() {
                return Err(malformed(start, "a key stands twice in one map"));
            }
        }
    }
}

fn put_compact_size(value: usize, out: &mut Vec<u8>) {
    out.extend(serialize(&bitcoin::VarInt::from(value)));
}

fn put_map(map: &Map, out: &mut Vec<u8>) {
    for (key, value) in map {
        put_compact_size(key.len(), out);
        out.extend_from_slice(key);
        put_compact_size(value.len(), out);
        out.extend_from_slice(value);
    }
    out.push(0);
}

fn u32_of(value: &[u8], name: &str) -> Result<u32, PsbtFault> {
    let bytes = value.try_into().map_err(|_| malformed(0, format!("{name} is not 4 bytes")))?;
    Ok(u32::from_le_bytes(bytes))
}

fn only_type(map: &Map, field: u8) -> Option<&Vec<u8>> {
    map.get([field].as_slice())
}

/// A field of one type may only appear with an empty key rest.
fn check_bare(map: &Map, fields: &[u8], place: &str) -> Result<(), PsbtFault> {
    let bad = map.keys().find(|k| k.first().is_some_and(|t| fields.contains(t)) && k.len() != 1);
    match bad {
        Some(key) => {
            Err(malformed(0, format!("{place}: key {} has data", crate::digest::hex(key))))
        }
        None => Ok(()),
    }
}

/// Reads a PSBT of version 0 or 2. Base64 is taken too: the magic tells which it is.
pub fn read(bytes: &[u8]) -> Result<RawPsbt, PsbtFault> {
    if bytes.len() > PSBT_BYTES_MAX {
        let detail = format!("PSBT of {} bytes", bytes.len());
        let limit = (PSBT_BYTES_MAX as u64, bytes.len() as u64);
        return Err(PsbtFault::Refused(
            Violation::new(Code::TxLimits, detail).limit(limit.0, limit.1),
        ));
    }
    if bytes.get(..MAGIC.len()) != Some(MAGIC) {
        return Err(malformed(0, "no PSBT: the magic bytes are missing"));
    }
    let mut cursor = Cursor { bytes, at: MAGIC.len() };
    let global = cursor.map()?;
    check_bare(&global, &[0x00, 0x02, 0x03, 0x04, 0x05, 0x06, 0xfb], "global map")?;
    let version = only_type(&global, GLOBAL_VERSION).map_or(Ok(0), |v| u32_of(v, "version"))?;
    match version {
        0 => read_v0(bytes, cursor, global),
        2 => read_v2(cursor, global),
        other => Err(malformed(MAGIC.len(), format!("PSBT version {other} is not understood"))),
    }
}

fn check_counts(inputs: usize, outputs: usize) -> Result<(), PsbtFault> {
    for (what, limit, actual) in [("inputs", INPUTS_MAX, inputs), ("outputs", OUTPUTS_MAX, outputs)]
    {
        if actual > limit {
            let violation = Violation::new(Code::TxLimits, format!("{actual} {what}"));
            return Err(PsbtFault::Refused(violation.limit(limit as u64, actual as u64)));
        }
    }
    if inputs == 0 || outputs == 0 {
        return Err(malformed(0, "a transaction has inputs and outputs"));
    }
    Ok(())
}

fn read_maps(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<Map>, PsbtFault> {
    (0..count).map(|_| cursor.map()).collect()
}

fn finish(cursor: &Cursor<'_>) -> Result<(), PsbtFault> {
    if cursor.at == cursor.bytes.len() {
        return Ok(());
    }
    Err(malformed(cursor.at, "bytes after the last map"))
}

fn read_v0(bytes: &[u8], mut cursor: Cursor<'_>, global: Map) -> Result<RawPsbt, PsbtFault> {
    let raw = only_type(&global, GLOBAL_UNSIGNED_TX)
        .ok_or_else(|| malformed(MAGIC.len(), "version 0 without an unsigned transaction"))?;
    for field in [0x02u8, 0x03, 0x04, 0x05, 0x06] {
        if only_type(&global, field).is_some() {
            return Err(malformed(
                MAGIC.len(),
                format!("field {field:#04x} of version 2 in version 0"),
            ));
        }
    }
    let tx: Transaction = deserialize(raw)
        .map_err(|e| malformed(MAGIC.len(), format!("unsigned transaction: {e}")))?;
    if tx.input.iter().any(|i| !i.script_sig.is_empty() || !i.witness.is_empty()) {
        return Err(malformed(MAGIC.len(), "the unsigned transaction bears signatures"));
    }
    check_counts(tx.input.len(), tx.output.len())?;
    let inputs = read_maps(&mut cursor, tx.input.len())?;
    let outputs = read_maps(&mut cursor, tx.output.len())?;
    finish(&cursor)?;
    for (index, map) in inputs.iter().enumerate() {
        check_bare(map, &[0x00, 0x01, 0x03, 0x04, 0x05, 0x07, 0x08], &format!("input {index}"))?;
        if map.keys().any(|k| matches!(k.as_slice(), [0x0e..=0x12])) {
            return Err(malformed(0, format!("input {index}: a field of version 2 in version 0")));
        }
    }
    for (index, map) in outputs.iter().enumerate() {
        check_bare(map, &[0x00, 0x01], &format!("output {index}"))?;
        if map.keys().any(|k| matches!(k.as_slice(), [OUT_AMOUNT | OUT_SCRIPT])) {
            return Err(malformed(0, format!("output {index}: a field of version 2 in version 0")));
        }
    }
    Ok(RawPsbt { tx, v0: bytes.to_vec(), violations: Vec::new() })
}

fn read_v2(mut cursor: Cursor<'_>, mut global: Map) -> Result<RawPsbt, PsbtFault> {
    let place = MAGIC.len();
    if only_type(&global, GLOBAL_UNSIGNED_TX).is_some() {
        return Err(malformed(place, "an unsigned transaction in version 2"));
    }
    let required = |field: u8, name: &str| {
        only_type(&global, field).ok_or_else(|| malformed(place, format!("no {name} in version 2")))
    };
    let version =
        u32_of(required(GLOBAL_TX_VERSION, "transaction version")?, "transaction version")?;
    let count = |field: u8, name: &str| -> Result<usize, PsbtFault> {
        let value = required(field, name)?;
        let mut inner = Cursor { bytes: value, at: 0 };
        let count = inner.compact_size()?;
        finish(&inner)?;
        Ok(count)
    };
    let (input_count, output_count) =
        (count(GLOBAL_INPUT_COUNT, "input count")?, count(GLOBAL_OUTPUT_COUNT, "output count")?);
    check_counts(input_count, output_count)?;
    let mut violations = Vec::new();
    if let Some(flags) = only_type(&global, GLOBAL_TX_MODIFIABLE) {
        let [flags] = flags.as_slice() else { return Err(malformed(place, "modifiable flags")) };
        if *flags != 0 {
            let detail = format!("TX_MODIFIABLE is {flags:#04x}");
            violations.push(Violation::new(Code::PsbtModifiable, detail));
        }
    }
    let fallback = only_type(&global, GLOBAL_FALLBACK_LOCKTIME)
        .map_or(Ok(0), |v| u32_of(v, "fallback lock time"))?;
    let mut inputs = read_maps(&mut cursor, input_count)?;
    let mut outputs = read_maps(&mut cursor, output_count)?;
    finish(&cursor)?;
    let tx = Transaction {
        version: bitcoin::transaction::Version(i32::from_le_bytes(version.to_le_bytes())),
        lock_time: bitcoin::absolute::LockTime::from_consensus(lock_time(&inputs, fallback)?),
        input: inputs.iter().enumerate().map(|(i, map)| tx_in(i, map)).collect::<Result<_, _>>()?,
        output: outputs
            .iter()
            .enumerate()
            .map(|(i, map)| tx_out(i, map))
            .collect::<Result<_, _>>()?,
    };
    global.retain(|key, _| !matches!(key.as_slice(), [0x02..=0x06 | GLOBAL_VERSION]));
    global.insert(vec![GLOBAL_UNSIGNED_TX], serialize(&tx));
    for map in &mut inputs {
        map.retain(|key, _| !matches!(key.as_slice(), [0x0e..=0x12]));
    }
    for map in &mut outputs {
        map.retain(|key, _| !matches!(key.as_slice(), [OUT_AMOUNT | OUT_SCRIPT]));
    }
    let mut v0 = MAGIC.to_vec();
    put_map(&global, &mut v0);
    inputs.iter().chain(&outputs).for_each(|map| put_map(map, &mut v0));
    Ok(RawPsbt { tx, v0, violations })
}

/// BIP-370, "Determining Lock Time": the greatest required one of a kind that all inputs can take.
fn lock_time(inputs: &[Map], fallback: u32) -> Result<u32, PsbtFault> {
    let read = |map: &Map, field: u8, time: bool| -> Result<Option<u32>, PsbtFault> {
        let Some(value) = only_type(map, field) else { return Ok(None) };
        let value = u32_of(value, "required lock time")?;
        if value == 0 || (value >= 500_000_000) != time {
            return Err(malformed(0, "required lock time is of the other kind"));
        }
        Ok(Some(value))
    };
    let (mut heights, mut times) = (Vec::new(), Vec::new());
    let (mut height_only, mut time_only) = (false, false);
    for map in inputs {
        let height = read(map, IN_REQUIRED_HEIGHT, false)?;
        let time = read(map, IN_REQUIRED_TIME, true)?;
        height_only |= height.is_some() && time.is_none();
        time_only |= time.is_some() && height.is_none();
        heights.extend(height);
        times.extend(time);
    }
    match (heights.iter().max(), times.iter().max()) {
        (None, None) => Ok(fallback),
        _ if height_only && time_only => Err(malformed(0, "inputs need lock times of two kinds")),
        (Some(height), _) if !time_only => Ok(*height),
        (_, Some(time)) => Ok(*time),
        (Some(height), None) => Ok(*height),
    }
}

fn tx_in(index: usize, map: &Map) -> Result<TxIn, PsbtFault> {
    let place = format!("input {index}");
    let all = [0x00, 0x01, 0x03, 0x04, 0x05, 0x07, 0x08, 0x0e, 0x0f, 0x10, 0x11, 0x12];
    check_bare(map, &all, &place)?;
    let missing = |name: &str| malformed(0, format!("{place}: no {name}"));
    let txid = only_type(map, IN_PREVIOUS_TXID).ok_or_else(|| missing("previous txid"))?;
    let txid: Txid = deserialize(txid).map_err(|_| missing("previous txid of 32 bytes"))?;
    let vout = only_type(map, IN_OUTPUT_INDEX).ok_or_else(|| missing("output index"))?;
    let sequence = only_type(map, IN_SEQUENCE).map_or(Ok(u32::MAX), |v| u32_of(v, "sequence"))?;
    Ok(TxIn {
        previous_output: OutPoint { txid, vout: u32_of(vout, "output index")? },
        script_sig: ScriptBuf::new(),
        sequence: Sequence(sequence),
        witness: Witness::new(),
    })
}

fn tx_out(index: usize, map: &Map) -> Result<TxOut, PsbtFault> {
    let place = format!("output {index}");
    check_bare(map, &[0x00, 0x01, OUT_AMOUNT, OUT_SCRIPT], &place)?;
    let missing = |name: &str| malformed(0, format!("{place}: no {name}"));
    let amount = only_type(map, OUT_AMOUNT).ok_or_else(|| missing("amount"))?;
    let amount: [u8; 8] = amount.as_slice().try_into().map_err(|_| missing("amount of 8 bytes"))?;
    let script = only_type(map, OUT_SCRIPT).ok_or_else(|| missing("script"))?;
    Ok(TxOut {
        value: Amount::from_sat(u64::from_le_bytes(amount)),
        script_pubkey: ScriptBuf::from_bytes(script.clone()),
    })
}
