//! Building transactions: the fewest of the largest coins, change to a fresh own address, and fee bumps.

use std::collections::BTreeSet;

use bitcoin::absolute::LockTime;
use bitcoin::psbt::{Input, Output};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use withdrawal::intent::{Intent, Kind};
use withdrawal::script::{VaultAddress, VaultScript, Wrapping};
use withdrawal::state::State;

use crate::Error;
use crate::coins::Coin;

/// Most coins of a consolidation or refresh.
pub const UPKEEP_COINS_MAX: usize = 100;

/// What a transaction is made from.
pub struct Plan<'a> {
    /// The vault's script.
    pub script: &'a VaultScript,
    /// All coins known.
    pub coins: &'a [Coin],
    /// What the log says, so that coins of other intents are left alone.
    pub state: &'a State,
    /// Coins that must be spent, and no others, where not empty.
    pub only: &'a [OutPoint],
    /// Satoshi per virtual byte.
    pub fee_rate: u64,
    /// Index of the change address, if one is needed.
    pub change_index: u32,
}

fn cannot(what: impl Into<String>) -> Error {
    Error::Malformed { what: "transaction".to_owned(), detail: what.into() }
}

/// Sum of outputs; more than there is bitcoin is an error.
fn total(outputs: &[TxOut]) -> Result<Amount, Error> {
    let sum = outputs.iter().try_fold(Amount::ZERO, |sum, o| sum.checked_add(o.value));
    sum.filter(|sum| *sum <= Amount::MAX_MONEY)
        .ok_or_else(|| cannot("outputs of over 21 million BTC"))
}

fn plus(a: Amount, b: Amount) -> Result<Amount, Error> {
    let sum = a.checked_add(b).filter(|sum| *sum <= Amount::MAX_MONEY);
    sum.ok_or_else(|| cannot(format!("a fee of {b} is more than there is")))
}

fn sum(coins: &[&Coin]) -> Amount {
    coins
        .iter()
        .map(|c| c.amount)
        .fold(Amount::ZERO, |a, b| a.checked_add(b).unwrap_or(Amount::MAX_MONEY))
}

impl<'a> Plan<'a> {
    fn change_address(&self) -> VaultAddress {
        VaultAddress { branch: self.script.change_branch(), index: self.change_index }
    }

    fn change_script(&self) -> Result<ScriptBuf, Error> {
        let script = self.script.script_pubkey(&self.change_address());
        script.ok_or_else(|| cannot("no change address at this index"))
    }

    /// Coins that no other intent holds.
    fn free(&self, intent: &Intent) -> Vec<&'a Coin> {
        let digest = intent.digest();
        let free = |c: &&Coin| {
            let owner = self.state.ledger().owner(&c.outpoint);
            match self.only {
                [] => owner.is_none_or(|owner| *owner == digest),
                only => only.contains(&c.outpoint),
            }
        };
        self.coins.iter().filter(free).collect()
    }

    /// Fee for a transaction of these coins and outputs, without and with change.
    fn fee(&self, coins: usize, outputs: &[TxOut]) -> Result<(Amount, Amount), Error> {
        let tx = transaction(&vec![OutPoint::null(); coins], outputs.to_vec());
        let signatures = self.script.satisfaction_weight() * coins as u64 + 2;
        let without = (tx.weight().to_wu() + signatures).div_ceil(4);
        let change = TxOut { value: Amount::ZERO, script_pubkey: self.change_script()? };
        let with = without + bitcoin::consensus::serialize(&change).len() as u64;
        let fee = |vsize: u64| Amount::from_sat(vsize.saturating_mul(self.fee_rate));
        Ok((fee(without), fee(with)))
    }

    /// Builds a transaction for an intent.
    pub fn build(&self, intent: &Intent) -> Result<Psbt, Error> {
        let outputs: Vec<TxOut> = intent
            .outputs()
            .iter()
            .map(|p| TxOut { value: p.amount, script_pubkey: p.script.clone() })
            .collect();
        let mut free = self.free(intent);
        let coins = if intent.kind() == Kind::Pay {
            // Largest first, so that few are needed; equal ones in the order of their outpoints.
            free.sort_by_key(|c| (std::cmp::Reverse(c.amount), c.outpoint));
            self.select(free, intent.total(), &outputs)?
        } else {
            free.sort_by_key(|c| (c.height.unwrap_or(u32::MAX), c.amount, c.outpoint));
            free.truncate(UPKEEP_COINS_MAX);
            free
        };
        if coins.is_empty() {
            return Err(cannot("no coin of the vault is free; `coins sync` looks them up"));
        }
        self.assemble(&coins, outputs, intent.max_fee())
    }

    fn select(
        &self,
        free: Vec<&'a Coin>,
        total: Amount,
        outputs: &[TxOut],
    ) -> Result<Vec<&'a Coin>, Error> {
        let mut chosen: Vec<&Coin> = Vec::new();
        let have = sum(&free);
        for coin in free {
            let (fee, _) = self.fee(chosen.len().max(1), outputs)?;
            if !chosen.is_empty() && sum(&chosen) >= plus(total, fee)? {
                break;
            }
            chosen.push(coin);
        }
        let (fee, _) = self.fee(chosen.len(), outputs)?;
        if sum(&chosen) < plus(total, fee)? {
            return Err(cannot(format!("{have} in free coins, {} are needed", plus(total, fee)?)));
        }
        // Nothing that could be left out: `SUPERFLUOUS_INPUT`.
        chosen.reverse();
        let mut kept = chosen.clone();
        for coin in chosen {
            let without: Vec<&Coin> =
                kept.iter().copied().filter(|c| c.outpoint != coin.outpoint).collect();
            let (_, fee) = self.fee(kept.len(), outputs)?;
            if !without.is_empty() && sum(&without) >= plus(total, fee)? {
                kept = without;
            }
        }
        Ok(kept)
    }

    fn assemble(
        &self,
        coins: &[&Coin],
        mut outputs: Vec<TxOut>,
        max_fee: Amount,
    ) -> Result<Psbt, Error> {
        let paid = total(&outputs)?;
        let (fee, fee_with_change) = self.fee(coins.len(), &outputs)?;
        let have = sum(coins);
        let script = self.change_script()?;
        let rest = have.checked_sub(plus(paid, fee_with_change)?);
        let change = rest.filter(|rest| *rest >= script.minimal_non_dust());
        if let Some(value) = change {
            outputs.push(TxOut { value, script_pubkey: script });
        } else if outputs.is_empty() {
            return Err(cannot(format!("{have} do not pay for their own fee")));
        }
        let actual = have.checked_sub(total(&outputs)?);
        let actual = actual.filter(|actual| *actual >= fee);
        let actual =
            actual.ok_or_else(|| cannot(format!("{have} do not cover {paid} and the fee")))?;
        if actual > max_fee {
            let what = format!("the fee would be {actual}, the intent allows {max_fee}");
            return Err(cannot(what));
        }
        let change_at = change.map(|_| (outputs.len() - 1, self.change_address()));
        let points: Vec<OutPoint> = coins.iter().map(|c| c.outpoint).collect();
        let tx = transaction(&points, outputs);
        self.fill(tx, coins, change_at)
    }

    /// The unsigned transaction with everything that signers and decoders need.
    fn fill(
        &self,
        tx: Transaction,
        coins: &[&Coin],
        change: Option<(usize, VaultAddress)>,
    ) -> Result<Psbt, Error> {
        let mut psbt = Psbt::from_unsigned_tx(tx).map_err(|e| cannot(e.to_string()))?;
        for (input, coin) in psbt.inputs.iter_mut().zip(coins) {
            fill_input(input, coin, self.script);
        }
        if let Some((at, address)) = change
            && let Some(output) = psbt.outputs.get_mut(at)
        {
            fill_output(output, &address, self.script);
        }
        Ok(psbt)
    }

    /// Another version of a transaction with a higher fee: the same payments, all its coins, less
    /// change, and more coins only where change does not reach.
    pub fn bump(&self, psbt: &Psbt) -> Result<Psbt, Error> {
        let old: BTreeSet<OutPoint> =
            psbt.unsigned_tx.input.iter().map(|i| i.previous_output).collect();
        let mut payments = Vec::new();
        let mut change_at = None;
        for (output, map) in psbt.unsigned_tx.output.iter().zip(&psbt.outputs) {
            let places = map.bip32_derivation.values();
            let own =
                places.filter_map(|(f, p)| self.script.locate(*f, p)).find(|(branch, index)| {
                    let at = VaultAddress { branch: *branch, index: *index };
                    self.script.script_pubkey(&at).as_ref() == Some(&output.script_pubkey)
                });
            match own {
                Some((branch, index)) if change_at.is_none() => {
                    change_at = Some(VaultAddress { branch, index });
                }
                Some(_) => return Err(cannot("two change outputs")),
                None => payments.push(output.clone()),
            }
        }
        let mut coins: Vec<&Coin> = Vec::new();
        for outpoint in &old {
            let coin = self.coins.iter().find(|c| c.outpoint == *outpoint);
            coins.push(coin.ok_or_else(|| cannot(format!("coin {outpoint} is not known here")))?);
        }
        let paid = total(&payments)?;
        let owned = |c: &&&Coin| self.state.ledger().owner(&c.outpoint).is_none();
        let mut spare: Vec<&Coin> = self
            .coins
            .iter()
            .filter(|c| !old.contains(&c.outpoint))
            .filter(|c| owned(&c))
            .collect();
        spare.sort_by_key(|c| c.amount);
        while sum(&coins) < plus(paid, self.fee(coins.len(), &payments)?.0)? {
            let more = spare.pop().ok_or_else(|| cannot("no coins are left for a higher fee"))?;
            coins.push(more);
        }
        let index = change_at.map_or(self.change_index, |at| at.index);
        let plan = Plan { change_index: index, ..*self };
        plan.assemble(&coins, payments, Amount::MAX_MONEY)
    }
}

fn transaction(inputs: &[OutPoint], output: Vec<TxOut>) -> Transaction {
    let input = inputs
        .iter()
        .map(|outpoint| TxIn {
            previous_output: *outpoint,
            script_sig: ScriptBuf::new(),
            // Replaceable (BIP-125), no relative lock.
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        })
        .collect();
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output }
}

/// Fills what a signer needs to know of a coin.
pub fn fill_input(input: &mut Input, coin: &Coin, script: &VaultScript) {
    input.non_witness_utxo = Some(coin.previous.clone());
    input.witness_utxo = Some(TxOut { value: coin.amount, script_pubkey: coin.script.clone() });
    for (fingerprint, path, key) in script.derivations(&coin.address) {
        input.bip32_derivation.insert(key.inner, (fingerprint, path));
    }
    input.witness_script = script.witness_script(&coin.address);
    if script.wrapping() == Wrapping::ShWsh {
        let program =
            input.witness_script.as_ref().map(|s| ScriptBuf::new_p2wsh(&s.wscript_hash()));
        input.redeem_script = program;
    }
}

fn fill_output(output: &mut Output, address: &VaultAddress, script: &VaultScript) {
    for (fingerprint, path, key) in script.derivations(address) {
        output.bip32_derivation.insert(key.inner, (fingerprint, path));
    }
    output.witness_script = script.witness_script(address);
    if script.wrapping() == Wrapping::ShWsh {
        let program =
            output.witness_script.as_ref().map(|s| ScriptBuf::new_p2wsh(&s.wscript_hash()));
        output.redeem_script = program;
    }
}
