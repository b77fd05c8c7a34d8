//! From bytes to a [`SpendSummary`]: hop 3. What can't be proven is an error, never a guess.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bitcoin::{Amount, Psbt, Transaction};

use super::raw::{self, PSBT_BYTES_MAX};
use super::{PsbtFault, inputs, malformed, outputs};
use crate::code::{Code, Violation};
use crate::script::VaultScript;
use crate::spend::{PaidOutput, SpendSummary, SpentCoin};

/// A PSBT that parsed, with everything that is wrong with it.
#[derive(Debug)]
pub struct Inspection {
    /// The same as version 0, typed; unknown and proprietary fields are gone.
    pub psbt: Psbt,
    /// What it does; `None` where an amount is not proven.
    pub spend: Option<SpendSummary>,
    /// Structural faults, all of them.
    pub violations: Vec<Violation>,
}

/// PSBT bytes from a file: binary as they are, base64 decoded. Trailing line ends are allowed there.
pub fn to_binary(bytes: &[u8]) -> Result<Vec<u8>, PsbtFault> {
    if bytes.starts_with(b"psbt\xff") {
        return Ok(bytes.to_vec());
    }
    if bytes.len() > PSBT_BYTES_MAX / 3 * 4 {
        let violation = Violation::new(Code::TxLimits, format!("file of {} bytes", bytes.len()));
        let limit = PSBT_BYTES_MAX as u64;
        return Err(PsbtFault::Refused(violation.limit(limit, bytes.len() as u64)));
    }
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    BASE64_STANDARD
        .decode(text)
        .map_err(|e| malformed(0, format!("neither a PSBT nor base64: {e}")))
}

/// Inspects a PSBT against the vault's registered script; nothing in the PSBT can name another.
pub fn inspect(bytes: &[u8], vault: &VaultScript) -> Result<Inspection, PsbtFault> {
    let raw = raw::read(bytes)?;
    let mut psbt = Psbt::deserialize(&raw.v0).map_err(|e| malformed(0, e.to_string()))?;
    strip_unknown(&mut psbt);
    let mut violations = raw.violations;
    check_format(&raw.tx, &mut violations);
    let coins = inputs::inspect(&psbt, vault, &mut violations);
    let paid = outputs::inspect(&psbt, vault, &mut violations);
    let spend = coins.and_then(|coins| summarise(raw.tx, coins, paid, vault, &mut violations));
    if let Some(spend) = &spend {
        inputs::check_signatures(&psbt, spend, vault, &mut violations);
    }
    Ok(Inspection { psbt, spend, violations })
}

/// Fields that are not understood never alter a decision and never leave with our signature.
fn strip_unknown(psbt: &mut Psbt) {
    psbt.proprietary.clear();
    psbt.unknown.clear();
    psbt.xpub.clear();
    for input in &mut psbt.inputs {
        input.proprietary.clear();
        input.unknown.clear();
    }
    for output in &mut psbt.outputs {
        output.proprietary.clear();
        output.unknown.clear();
    }
}

/// Version 2, a height or nothing as lock time, final or replaceable sequences: what an honest
/// builder makes. Anything else is a surprise to somebody.
fn check_format(tx: &Transaction, out: &mut Vec<Violation>) {
    let mut format = |detail: String| out.push(Violation::new(Code::TxFormat, detail));
    if tx.version.0 != 2 {
        format(format!("transaction version {}, only 2 is served", tx.version.0));
    }
    let lock_time = tx.lock_time.to_consensus_u32();
    if lock_time >= 500_000_000 {
        format(format!("lock time {lock_time} is a time, not a height"));
    }
    if lock_time > 0 && tx.input.iter().all(|i| i.sequence.is_final()) {
        format(format!("lock time {lock_time} has no effect: all inputs are final"));
    }
    for (index, input) in tx.input.iter().enumerate() {
        let sequence = input.sequence.to_consensus_u32();
        if sequence < 0xffff_fffd {
            let detail = format!("input {index} has sequence {sequence:#010x}");
            out.push(Violation::new(Code::SequencePolicy, detail));
        }
    }
}

fn summarise(
    tx: Transaction,
    inputs: Vec<SpentCoin>,
    outputs: Vec<PaidOutput>,
    vault: &VaultScript,
    out: &mut Vec<Violation>,
) -> Option<SpendSummary> {
    let sum = |mut amounts: &mut dyn Iterator<Item = Amount>| {
        Iterator::try_fold(&mut amounts, Amount::ZERO, |sum, amount| {
            sum.checked_add(amount).filter(|sum| *sum <= Amount::MAX_MONEY)
        })
    };
    let total_in = sum(&mut inputs.iter().map(|i| i.amount));
    let total_out = sum(&mut outputs.iter().map(|o| o.amount));
    let fee = match (total_in, total_out) {
        (Some(total_in), Some(total_out)) => total_in.checked_sub(total_out),
        _ => None,
    };
    let Some(fee) = fee else {
        let detail = "outputs above inputs, or a sum over 21 million BTC";
        out.push(Violation::new(Code::ValueOverflow, detail));
        return None;
    };
    let signatures = vault.satisfaction_weight() * inputs.len() as u64;
    let weight = tx.weight().to_wu() + signatures + 2;
    Some(SpendSummary { inputs, outputs, fee, vsize: weight.div_ceil(4), tx })
}
