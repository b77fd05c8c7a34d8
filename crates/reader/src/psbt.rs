//! PSBTs of version 0 and 2, read into what is spent and what is paid.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin_hashes::{Hash as _, sha256};

use crate::bytes::Bytes;
use crate::descriptor::Vault;
use crate::tx::{In, Out, Tx};
use crate::{ReadError, fail};

const BYTES_MAX: usize = 32 * 1024 * 1024;
const INPUTS_MAX: usize = 1_000;
const OUTPUTS_MAX: usize = 2_001;
const INDEX_MAX: u32 = 100_000;
const MONEY_MAX: u64 = 21_000_000 * 100_000_000;

type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

/// One coin that is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadInput {
    /// Id of the transaction that made it, in the order of its bytes.
    pub txid: [u8; 32],
    /// Which of its outputs.
    pub vout: u32,
    /// Its amount in satoshi, from that transaction itself.
    pub sat: u64,
    /// Its script.
    pub script: Vec<u8>,
    /// Branch and index in the vault, if it is the vault's.
    pub own: Option<(u32, u32)>,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOutput {
    /// Its amount in satoshi.
    pub sat: u64,
    /// Its script.
    pub script: Vec<u8>,
    /// Branch and index in the vault, if it is the vault's.
    pub own: Option<(u32, u32)>,
}

/// What a PSBT does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The coins.
    pub inputs: Vec<ReadInput>,
    /// The outputs.
    pub outputs: Vec<ReadOutput>,
    /// What the coins hold beyond the outputs, in satoshi.
    pub fee_sat: u64,
    /// The unsigned transaction, serialised.
    pub tx: Vec<u8>,
}

fn fields(b: &mut Bytes<'_>) -> Result<Fields, ReadError> {
    let mut map = Fields::new();
    loop {
        let at = b.pos();
        let key = b.sized()?;
        if key.is_empty() {
            return Ok(map);
        }
        let value = b.sized()?;
        if map.insert(key.to_vec(), value.to_vec()).is_some() {
            return fail(at, "a field stands twice");
        }
    }
}

fn one(map: &Fields, kind: u8) -> Option<&[u8]> {
    map.get([kind].as_slice()).map(Vec::as_slice)
}

fn short(value: &[u8]) -> Result<u32, ReadError> {
    let mut b = Bytes::new(value);
    if value.len() != 4 {
        return fail(0, "a number of 4 bytes expected");
    }
    Ok(u32::try_from(b.number(4)?).unwrap_or(0))
}

/// Reads a PSBT and says what it does for this vault.
pub fn read(raw: &[u8], vault: &Vault) -> Result<Read, ReadError> {
    if raw.len() > BYTES_MAX {
        return fail(0, "too large");
    }
    let mut b = Bytes::new(raw);
    if b.next(5)? != b"psbt\xff" {
        return fail(0, "no PSBT");
    }
    let global = fields(&mut b)?;
    let version = one(&global, 0xfb).map_or(Ok(0), short)?;
    let (ins, outs, tx) = match version {
        0 => {
            let Some(raw_tx) = one(&global, 0) else { return fail(5, "no transaction") };
            let tx = Tx::parse(raw_tx, false)?;
            if tx.ins.iter().any(|i| !i.script_sig.is_empty()) {
                return fail(5, "signed already");
            }
            limits(tx.ins.len(), tx.outs.len())?;
            let ins = many(&mut b, tx.ins.len())?;
            let outs = many(&mut b, tx.outs.len())?;
            (ins, outs, tx)
        }
        2 => read_2(&mut b, &global)?,
        other => return fail(5, format!("version {other}")),
    };
    if !b.is_end() {
        return fail(b.pos(), "bytes after the last map");
    }
    let inputs = tx
        .ins
        .iter()
        .zip(&ins)
        .map(|(tx_in, map)| input(tx_in, map, vault))
        .collect::<Result<Vec<_>, _>>()?;
    let outputs = tx
        .outs
        .iter()
        .zip(&outs)
        .map(|(out, map)| ReadOutput {
            sat: out.sat,
            script: out.script.clone(),
            own: own(map, 0x02, &out.script, vault),
        })
        .collect::<Vec<_>>();
    let fee_sat = fee(&inputs, &outputs)?;
    Ok(Read { inputs, outputs, fee_sat, tx: tx.stripped() })
}

fn limits(ins: usize, outs: usize) -> Result<(), ReadError> {
    if (1..=INPUTS_MAX).contains(&ins) && (1..=OUTPUTS_MAX).contains(&outs) {
        return Ok(());
    }
    fail(0, format!("{ins} inputs and {outs} outputs"))
}

fn many(b: &mut Bytes<'_>, n: usize) -> Result<Vec<Fields>, ReadError> {
    (0..n).map(|_| fields(b)).collect()
}

fn read_2(b: &mut Bytes<'_>, global: &Fields) -> Result<(Vec<Fields>, Vec<Fields>, Tx), ReadError> {
    let need = |map: &Fields, kind: u8| match one(map, kind) {
        Some(value) => Ok(value.to_vec()),
        None => fail(5, format!("field {kind:#04x} is missing")),
    };
    if one(global, 0).is_some() {
        return fail(5, "a transaction in version 2");
    }
    let count = |kind: u8| -> Result<usize, ReadError> {
        let value = need(global, kind)?;
        let mut inner = Bytes::new(&value);
        let n = inner.size()?;
        if inner.is_end() { Ok(n) } else { fail(5, "count") }
    };
    let (n_in, n_out) = (count(4)?, count(5)?);
    limits(n_in, n_out)?;
    let ins = many(b, n_in)?;
    let outs = many(b, n_out)?;
    let mut tx =
        Tx { version: short(&need(global, 2)?)?, ins: Vec::new(), outs: Vec::new(), lock: 0 };
    for map in &ins {
        let txid = need(map, 0x0e)?;
        let mut inner = Bytes::new(&txid);
        let id = inner.hash()?;
        if !inner.is_end() {
            return fail(0, "transaction id");
        }
        tx.ins.push(In {
            txid: id,
            vout: short(&need(map, 0x0f)?)?,
            script_sig: Vec::new(),
            sequence: one(map, 0x10).map_or(Ok(u32::MAX), short)?,
        });
    }
    for map in &outs {
        let amount = need(map, 3)?;
        if amount.len() != 8 {
            return fail(0, "amount");
        }
        let sat = Bytes::new(&amount).number(8)?;
        tx.outs.push(Out { sat, script: need(map, 4)? });
    }
    tx.lock = lock(&ins, one(global, 3).map_or(Ok(0), short)?)?;
    Ok((ins, outs, tx))
}

/// The lock time that all inputs can take; a height where both kinds would do.
fn lock(ins: &[Fields], fallback: u32) -> Result<u32, ReadError> {
    let mut heights = (0, true);
    let mut times = (0, true);
    let mut asked = false;
    for map in ins {
        let time = one(map, 0x11).map(short).transpose()?;
        let height = one(map, 0x12).map(short).transpose()?;
        if time.is_some_and(|t| t < 500_000_000)
            || height.is_some_and(|h| h == 0 || h >= 500_000_000)
        {
            return fail(0, "a lock time of the other kind");
        }
        if time.is_some() || height.is_some() {
            asked = true;
            times = (times.0.max(time.unwrap_or(0)), times.1 && time.is_some());
            heights = (heights.0.max(height.unwrap_or(0)), heights.1 && height.is_some());
        }
    }
    match (asked, heights, times) {
        (false, _, _) => Ok(fallback),
        (_, (height, true), _) => Ok(height),
        (_, _, (time, true)) => Ok(time),
        _ => fail(0, "lock times of two kinds"),
    }
}

fn input(tx_in: &In, map: &Fields, vault: &Vault) -> Result<ReadInput, ReadError> {
    let Some(raw) = one(map, 0x00) else { return fail(0, "no previous transaction") };
    let previous = Tx::parse(raw, true)?;
    if previous.txid() != tx_in.txid {
        return fail(0, "the previous transaction is another one");
    }
    let coin = usize::try_from(tx_in.vout).ok().and_then(|v| previous.outs.get(v));
    let Some(coin) = coin else { return fail(0, "the previous transaction has no such output") };
    if let Some(raw) = one(map, 0x01) {
        let mut b = Bytes::new(raw);
        let same = b.number(8)? == coin.sat && b.sized()? == coin.script && b.is_end();
        if !same {
            return fail(0, "the witness UTXO is another coin");
        }
    }
    Ok(ReadInput {
        txid: tx_in.txid,
        vout: tx_in.vout,
        sat: coin.sat,
        script: coin.script.clone(),
        own: own(map, 0x06, &coin.script, vault),
    })
}

/// Where in the vault a script lies. Origins say where to look; the script itself is derived.
fn own(map: &Fields, kind: u8, script: &[u8], vault: &Vault) -> Option<(u32, u32)> {
    let fits = |at: &(u32, u32)| {
        at.1 <= INDEX_MAX && vault.scripts(at.0, at.1).is_some_and(|(_, own)| own == script)
    };
    if !vault.is_ranged() {
        return (0..vault.branches()).map(|branch| (branch, 0)).find(fits);
    }
    let mut places = BTreeSet::new();
    for (_, value) in map.iter().filter(|(key, _)| key.first() == Some(&kind)).take(64) {
        let Some((fingerprint, path)) = value.split_at_checked(4) else { continue };
        let (steps, rest) = path.as_chunks::<4>();
        if !rest.is_empty() {
            continue;
        }
        let path: Vec<u32> = steps.iter().map(|s| u32::from_le_bytes(*s)).collect();
        if let Some(place) = vault.locate(fingerprint, &path) {
            places.insert(place);
        }
    }
    places.into_iter().take(4).find(fits)
}

fn fee(inputs: &[ReadInput], outputs: &[ReadOutput]) -> Result<u64, ReadError> {
    let sum = |sats: &mut dyn Iterator<Item = u64>| {
        let mut total = 0u64;
        for sat in sats {
            total = total.saturating_add(sat);
        }
        total
    };
    let spent = sum(&mut inputs.iter().map(|i| i.sat));
    let paid = sum(&mut outputs.iter().map(|o| o.sat));
    if spent > MONEY_MAX || paid > MONEY_MAX || paid > spent {
        return fail(0, "sums");
    }
    Ok(spent - paid)
}

/// The spend digest (`docs/formats.md`), computed from what this decoder read.
pub fn spend_digest(read: &Read, vault_id: &[u8; 32], intent: &[u8; 32]) -> [u8; 32] {
    let long = |bytes: &[u8], out: &mut Vec<u8>| {
        out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(bytes);
    };
    let tag = sha256::Hash::hash(b"countersign/spend/v1").to_byte_array();
    let mut message = [tag, tag, *vault_id, *intent].concat();
    long(&read.tx, &mut message);
    message.extend(u32::try_from(read.inputs.len()).unwrap_or(u32::MAX).to_be_bytes());
    for input in &read.inputs {
        message.extend(input.sat.to_be_bytes());
        long(&input.script, &mut message);
    }
    sha256::Hash::hash(&message).to_byte_array()
}
