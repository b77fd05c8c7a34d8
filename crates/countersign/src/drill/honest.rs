//! An honest day: a payment, a fee bump, a large planned move, and the receipt that proves one.

use std::time::Instant;

use bitcoin::{Amount, Psbt, Transaction, TxOut};
use coordinator::finish;
use coordinator::mirror::Mirror;
use coordinator::service::{Case, Released};
use withdrawal::change::ChangeKind;
use withdrawal::facts::AssertedAges;
use withdrawal::psbt::inspect;

use super::Honest;
use super::world::{Papers, World};
use crate::cmd::finalize;
use crate::fail::Fail;
use crate::net::Http;

/// Releases a withdrawal, has two holders sign, and finishes it.
fn serve(world: &World, papers: &Papers) -> Result<(Transaction, Vec<TxOut>), Fail> {
    let http = Http::new();
    let mut service = world.service(&http)?;
    let case = Case {
        intent: &papers.intent,
        psbt: &papers.psbt,
        approvals: &papers.approvals,
        ages: AssertedAges::default(),
    };
    let signed = match service.release(&case)? {
        Released::Signed(psbt) => psbt,
        Released::Refused(refusal) => {
            let codes: Vec<&str> =
                refusal.refusal.violations.iter().map(|v| v.code.name()).collect();
            return Err(Fail::failed(format!("an honest step was refused: {}", codes.join(" "))));
        }
        Released::Malformed(what) => return Err(Fail::failed(what)),
    };
    let mut psbt = Psbt::deserialize(&signed).map_err(Fail::failed)?;
    let spend = inspect(&signed, &world.vault.script).map_err(Fail::failed)?.spend;
    let spend = spend.ok_or_else(|| Fail::failed("not proven"))?;
    for holder in world.trial.holders.iter().take(2) {
        holder.sign_as_holder(&world.vault, &spend, &mut psbt).map_err(Fail::failed)?;
    }
    let done = finish::finalize(psbt)?;
    finalize::consensus(&done.0, &done.1)?;
    Ok(done)
}

/// The receipt of a finished transaction, verified and anchored before it is given.
fn receipt(world: &World, papers: &Papers, tx: &Transaction) -> Result<Vec<u8>, Fail> {
    let spend = inspect(&papers.psbt, &world.vault.script).map_err(Fail::failed)?.spend;
    let spend = spend.ok_or_else(|| Fail::failed("not proven"))?;
    let digest = world.digest(&papers.intent, &papers.psbt)?;
    let mirror = Mirror::open(&world.dir, world.vault.clone())?;
    let receipt = finish::receipt(&world.dir, &mirror, &spend, &digest, &papers.psbt, tx)?;
    let verified = receipt.verify().map_err(|v| Fail::Refused(v.code, v.detail))?;
    if verified.vault.id != world.vault.id {
        return Err(Fail::failed("the receipt is of another vault"));
    }
    Ok(receipt.to_json())
}

fn step(
    steps: &mut Vec<Honest>,
    id: &'static str,
    title: &str,
    tell: &mut impl FnMut(&Honest),
    work: impl FnOnce() -> Result<String, Fail>,
) {
    let start = Instant::now();
    let done = work();
    let (ok, title, txid) = match done {
        Ok(txid) => (true, title.to_owned(), txid),
        Err(Fail::Failed(why)) => (false, format!("{title}: {why}"), String::new()),
        Err(other) => (false, format!("{title}: {other:?}"), String::new()),
    };
    let honest = Honest { id, title, ok, secs: start.elapsed().as_secs_f64(), txid };
    tell(&honest);
    steps.push(honest);
}

/// The day, step by step, and the receipt of its first payment.
pub fn day(
    world: &mut World,
    mut tell: impl FnMut(&Honest),
) -> Result<(Vec<Honest>, Option<Vec<u8>>), Fail> {
    let mut steps = Vec::new();
    let (usual, treasury) = (world.usual.clone(), world.treasury.clone());
    {
        let http = Http::new();
        world.service(&http)?.open()?;
    }
    let mut first: Option<Papers> = None;
    let mut kept = None;
    let title = "H1 20 BTC to the usual address: asked, reviewed, approved by 2 in 2 networks, witnessed, signed";
    step(&mut steps, "H1", title, &mut tell, || {
        let papers = world.papers(&usual, 2_000_000_000, "invoice 1", &["alice", "bob"])?;
        let (tx, prevouts) = serve(world, &papers)?;
        world.chain.relay(&tx, &prevouts)?;
        first = Some(papers);
        Ok(tx.compute_txid().to_string())
    });
    step(
        &mut steps,
        "H2",
        "H2 its fee is raised: the same payment and coins, approved anew, charged once",
        &mut tell,
        || {
            let papers = first.clone().ok_or_else(|| Fail::failed("no first payment"))?;
            let state = world.state()?;
            let old = Psbt::deserialize(&papers.psbt).map_err(Fail::failed)?;
            let psbt = world.plan(&state, 20).bump(&old)?.serialize();
            let approvals = world.approve(&papers.intent, &psbt, &["alice", "bob"])?;
            let papers = Papers { psbt, approvals, ..papers };
            let (tx, _) = serve(world, &papers)?;
            world.chain.confirm(&tx)?;
            kept = Some(receipt(world, &papers, &tx)?);
            Ok(tx.compute_txid().to_string())
        },
    );
    step(
        &mut steps,
        "H3",
        "H3 its receipt is verified offline and anchored to the vault id",
        &mut tell,
        || {
            // `receipt` verified it before; here it is read back from its bytes alone.
            let bytes = kept.as_ref().ok_or_else(|| Fail::failed("no receipt"))?;
            let receipt =
                withdrawal::receipt::Receipt::parse(bytes).map_err(|v| Fail::failed(v.detail))?;
            let verified = receipt.verify().map_err(|v| Fail::failed(v.detail))?;
            finalize::consensus(&verified.tx, &verified.prevouts)?;
            if verified.vault.id != world.vault.id {
                return Err(Fail::failed("another vault"));
            }
            Ok(verified.tx.compute_txid().to_string())
        },
    );
    let title = "H4 1,000 BTC to the own treasury, as DMM's move c03acb80… of April 2024: balance floor, 3 people";
    step(&mut steps, "H4", title, &mut tell, || {
        let state = world.state()?;
        let signers = [
            world.trial.person("alice")?,
            world.trial.person("bob")?,
            world.trial.person("carol")?,
        ];
        let floor = ChangeKind::Floor { amount: Amount::from_sat(448_000_000_000) };
        let change = world.trial.change(&state, floor, &signers)?;
        {
            let http = Http::new();
            let applied = world.service(&http)?.change(&change)?;
            applied.map_err(|_| Fail::failed("the balance floor was refused"))?;
        }
        let papers =
            world.papers(&treasury, 100_000_000_000, "planned move", &["alice", "bob", "carol"])?;
        let (tx, _) = serve(world, &papers)?;
        world.chain.confirm(&tx)?;
        Ok(tx.compute_txid().to_string())
    });
    Ok((steps, kept))
}
