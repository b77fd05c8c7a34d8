//! What a thief tries who holds more and more. Every attempt goes to the real cosigner process.

use bitcoin::consensus::serialize;
use bitcoin::{Psbt, Witness};
use coordinator::client::Client;
use coordinator::trial;
use withdrawal::act::{Act, ActKind, Author};
use withdrawal::change::ChangeKind;
use withdrawal::code::{Code, Violation};
use withdrawal::digest::hex;
use withdrawal::facts::AssertedAges;
use withdrawal::protocol::{Dossier, Request, Response};
use withdrawal::psbt::inspect;

use super::Attack;
use super::world::{Papers, World};
use crate::fail::Fail;
use crate::net::Http;

/// What an attempt came to.
#[derive(Default)]
struct Tried {
    violations: Vec<Violation>,
    refusal: Option<String>,
    signatures: u32,
    changed: String,
}

impl Tried {
    fn from(response: Response, changed: impl Into<String>) -> Self {
        let mut tried = Self { changed: changed.into(), ..Self::default() };
        match response {
            Response::Refused(refusal) => {
                tried.refusal = Some(refusal.refusal.digest().to_string());
                tried.violations = refusal.refusal.violations;
            }
            Response::Malformed { what } => {
                tried.violations = vec![Violation::new(Code::Malformed, what)];
            }
            Response::Signed { .. } => tried.signatures = 1,
            // Anything else is neither a refusal nor a signature; the expected code will be missing.
            _ => {}
        }
        tried
    }
}

fn dossier(papers: &Papers, head: Vec<u8>) -> Box<Dossier> {
    Box::new(Dossier {
        intent: papers.intent.clone(),
        psbt: papers.psbt.clone(),
        approvals: papers.approvals.clone(),
        ages: AssertedAges::default(),
        head,
    })
}

fn head(world: &World) -> Result<Vec<u8>, Fail> {
    let http = Http::new();
    let mut service = world.service(&http)?;
    service.open()?;
    Ok(service.fresh_head()?)
}

/// Tries hops 7 and 8 with everything the thief has.
fn attempt(world: &World, papers: &Papers, changed: impl Into<String>) -> Result<Tried, Fail> {
    let mut client = world.client()?;
    let response = client.ask(&Request::Reserve(dossier(papers, head(world)?)))?;
    if !matches!(response, Response::Appended(_)) {
        return Ok(Tried::from(response, changed));
    }
    let response = client.ask(&Request::Countersign(dossier(papers, head(world)?)))?;
    Ok(Tried::from(response, changed))
}

/// The transaction with the payment sent to the thief instead.
fn redirect(world: &World, psbt: &[u8]) -> Result<(Vec<u8>, String), Fail> {
    let mut psbt = Psbt::deserialize(psbt).map_err(Fail::failed)?;
    let mut changed = String::new();
    for output in &mut psbt.unsigned_tx.output {
        if output.script_pubkey == world.usual {
            let network = world.vault.genesis.network;
            changed = format!(
                "the output to {} (script {:x}) became one to {} (script {:x})",
                network.show(&output.script_pubkey),
                output.script_pubkey,
                network.show(&world.thief),
                world.thief
            );
            output.script_pubkey = world.thief.clone();
        }
    }
    Ok((psbt.serialize(), changed))
}

const TOKENS: &str = "all session tokens";
const VENDOR: &str = "the wallet vendor";
const MIDDLE: &str = "coordinator, database and log mirror";
const CLOCK: &str = "the network clock and one witness";
const APPROVER: &str = "one approver with his machine";
const HOLDERS: &str = "all holders' keys";
const BACKUP: &str = "a backup of the cosigner's store";
const LEVELS: [&str; 7] = [TOKENS, VENDOR, MIDDLE, CLOCK, APPROVER, HOLDERS, BACKUP];

type Try = fn(&mut World) -> Result<Tried, Fail>;

const PLAN: &[(&str, &str, &str, Code, Try)] = &[
    ("A01", "release on session tokens alone", TOKENS, Code::NoAssertion, a01),
    (
        "A18",
        "edit the recipient after approval (what happened to DMM)",
        VENDOR,
        Code::OutputNotApproved,
        a18,
    ),
    (
        "D02",
        "have passkeys sign the thief's digest through a lying page",
        MIDDLE,
        Code::ReviewMissing,
        d02,
    ),
    ("A03", "replay the approvals of an honest payment", MIDDLE, Code::DigestMismatch, a03),
    ("D04", "hold an approver's reject back and go ahead", MIDDLE, Code::Rejected, d04),
    ("D21", "lock coins with requests that never get a quorum", MIDDLE, Code::QuorumNotMet, d21),
    ("D06", "push the clock a month ahead", CLOCK, Code::ClockUntrusted, d06),
    ("A05", "ask and approve as one person", APPROVER, Code::SelfApproval, a05),
    ("D20", "veto everything, again and again", APPROVER, Code::Budget, d20),
    ("S18", "loosen the policy and spend in one batch", APPROVER, Code::PolicyChangePending, s18),
    ("D01", "spend with the holders' keys alone", HOLDERS, Code::ScriptFails, d01),
    ("D05", "start a second cosigner from the backup", BACKUP, Code::StateRollback, d05),
    ("L02", "write a second history with it", BACKUP, Code::LogFork, l02),
];

/// Ids of the attacks, in the order in which they are tried.
pub fn ids() -> impl Iterator<Item = &'static str> {
    PLAN.iter().map(|(id, ..)| *id)
}

/// Tries everything, or one attack only, in the order of what the thief holds.
pub fn all(
    world: &mut World,
    only: Option<&str>,
    mut tell: impl FnMut(&Attack),
) -> Result<Vec<Attack>, Fail> {
    let mut attacks = Vec::new();
    for (id, title, level, expected, attempt) in PLAN {
        if only.is_some_and(|only| only != *id) {
            continue;
        }
        let tried = attempt(world)?;
        let reach = LEVELS.iter().position(|l| l == level).unwrap_or(0);
        let attack = Attack {
            id,
            title,
            holds: LEVELS.iter().take(reach + 1).copied().collect(),
            expected: *expected,
            violations: tried.violations,
            changed: tried.changed,
            refusal: tried.refusal,
            signatures: tried.signatures,
        };
        tell(&attack);
        attacks.push(attack);
    }
    Ok(attacks)
}

fn a01(world: &mut World) -> Result<Tried, Fail> {
    let (thief, mut papers) = (
        world.thief.clone(),
        world.papers(&world.usual.clone(), 1_000_000_000, "a01", &["alice", "bob"])?,
    );
    let intent = world.intent(&thief, 1_000_000_000, "a01-thief")?;
    papers.psbt = world.build(&intent, 5)?;
    papers.intent = intent;
    let digest = world.digest(&papers.intent, &papers.psbt)?;
    for approval in &mut papers.approvals {
        // The names are there, as a stolen session would fill them in; nothing is signed.
        (approval.spend_digest, approval.passkey, approval.review) = (digest, None, None);
    }
    attempt(world, &papers, "approvals with a session's names and no signature")
}

fn a18(world: &mut World) -> Result<Tried, Fail> {
    let mut papers = world.papers(&world.usual.clone(), 1_000_000_000, "a18", &["alice", "bob"])?;
    let (psbt, changed) = redirect(world, &papers.psbt)?;
    papers.psbt = psbt;
    attempt(world, &papers, changed)
}

fn d02(world: &mut World) -> Result<Tried, Fail> {
    let mut papers = world.papers(&world.usual.clone(), 1_000_000_000, "d02", &["alice", "bob"])?;
    let (psbt, changed) = redirect(world, &papers.psbt)?;
    // The page shows the honest payment and hands the passkeys the digest of the thief's.
    papers.approvals = world.approve(&papers.intent, &psbt, &["alice", "bob"])?;
    for approval in &mut papers.approvals {
        approval.review = None;
    }
    papers.psbt = psbt;
    attempt(world, &papers, format!("{changed}; passkeys signed it, review machines did not"))
}

fn a03(world: &mut World) -> Result<Tried, Fail> {
    let honest = world.papers(&world.usual.clone(), 1_000_000_000, "a03", &["alice", "bob"])?;
    let mut papers = world.papers(&world.usual.clone(), 1_500_000_000, "a03-again", &[])?;
    papers.approvals = honest.approvals;
    attempt(world, &papers, "another intent with the approvals of the first")
}

fn d04(world: &mut World) -> Result<Tried, Fail> {
    let papers = world.papers(&world.usual.clone(), 1_000_000_000, "d04", &["alice", "bob"])?;
    let intent = withdrawal::intent::Intent::parse(&papers.intent).map_err(Fail::failed)?;
    let act = Act {
        vault_id: world.vault.id,
        author: Author::Person("carol".to_owned()),
        kind: ActKind::Reject { intent: intent.digest() },
        nonce: trial::random()?,
    };
    let act = act.sign(&world.trial.person("carol")?.review);
    // Carol's machine speaks to the cosigner itself; the coordinator learns nothing of it.
    let answer = world.submit_client()?.ask(&Request::Act(Box::new(act)))?;
    if !matches!(answer, Response::Acknowledged(_)) {
        return Ok(Tried::default());
    }
    attempt(world, &papers, "the reject is left out of what the coordinator shows")
}

fn d21(world: &mut World) -> Result<Tried, Fail> {
    let mut last = Tried::default();
    for number in 0..3 {
        let papers = world.papers(
            &world.usual.clone(),
            5_000_000_000,
            &format!("d21-{number}"),
            &["alice"],
        )?;
        last = attempt(world, &papers, "three requests with one approval each")?;
        if last.signatures > 0 {
            return Ok(last);
        }
    }
    let state = world.state()?;
    let locked = world.coins.iter().filter(|c| state.ledger().owner(&c.outpoint).is_some()).count();
    // H2 and H4 hold the coins that they spent; nothing else may be held.
    let honest: usize = state.ledger().intents().map(|(_, i)| i.outpoints().len()).sum();
    if locked > honest {
        last.violations.clear();
    }
    Ok(last)
}

fn d06(world: &mut World) -> Result<Tried, Fail> {
    let papers = world.papers(&world.usual.clone(), 1_000_000_000, "d06", &["alice", "bob"])?;
    // The thief shows two honest witnesses and the hostile one, and withholds the third.
    let note = String::from_utf8(head(world)?).map_err(Fail::failed)?;
    let kept: String = note
        .lines()
        .filter(|l| !l.contains("w3.drill.invalid"))
        .map(|l| format!("{l}\n"))
        .collect();
    let response = world.client()?.ask(&Request::Reserve(dossier(&papers, kept.into_bytes())))?;
    Ok(Tried::from(
        response,
        "the cosignature of an honest witness is withheld, the hostile one's kept",
    ))
}

fn a05(world: &mut World) -> Result<Tried, Fail> {
    // Dave is the person behind the requester's key.
    let papers = world.papers(&world.usual.clone(), 1_000_000_000, "a05", &["dave", "alice"])?;
    attempt(world, &papers, "approved by who asked")
}

fn d20(world: &mut World) -> Result<Tried, Fail> {
    let mut client = world.submit_client()?;
    let mut last = Tried::default();
    for number in 0..4u8 {
        let act = Act {
            vault_id: world.vault.id,
            author: Author::Person("dave".to_owned()),
            kind: ActKind::Veto { intent: withdrawal::digest::Digest([number; 32]) },
            nonce: trial::random()?,
        };
        let act = act.sign(&world.trial.person("dave")?.review);
        last = Tried::from(client.ask(&Request::Act(Box::new(act)))?, "a fourth veto in a day");
    }
    Ok(last)
}

fn s18(world: &mut World) -> Result<Tried, Fail> {
    // Even if he talks a governance quorum into a looser policy, it waits for its delay.
    let state = world.state()?;
    let mut looser = super::world::policy();
    looser.version = 2;
    for quorum in &mut looser.quorums {
        quorum.groups = vec![("approvers".to_owned(), 1)];
        quorum.zones = 1;
    }
    let signers =
        [world.trial.person("alice")?, world.trial.person("bob")?, world.trial.person("carol")?];
    let change = world.trial.change(&state, ChangeKind::Policy(Box::new(looser)), &signers)?;
    {
        let http = Http::new();
        if world.service(&http)?.change(&change)?.is_err() {
            return Ok(Tried::default());
        }
    }
    let papers = world.papers(&world.usual.clone(), 1_000_000_000, "s18", &["alice"])?;
    attempt(world, &papers, "one approval, under a policy that will need one tomorrow")
}

fn d01(world: &mut World) -> Result<Tried, Fail> {
    let papers = world.papers(&world.usual.clone(), 1_000_000_000, "d01", &[])?;
    let (psbt, changed) = redirect(world, &papers.psbt)?;
    let spend = inspect(&psbt, &world.vault.script).map_err(Fail::failed)?.spend;
    let spend = spend.ok_or_else(|| Fail::failed("not proven"))?;
    let mut signed = Psbt::deserialize(&psbt).map_err(Fail::failed)?;
    for holder in &world.trial.holders {
        holder.sign_as_holder(&world.vault, &spend, &mut signed).map_err(Fail::failed)?;
    }
    let at = spend
        .inputs
        .first()
        .and_then(|i| i.address.clone())
        .ok_or_else(|| Fail::failed("address"))?;
    let script = world.vault.script.witness_script(&at).ok_or_else(|| Fail::failed("script"))?;
    let keys: Vec<_> = world.vault.script.derivations(&at).into_iter().map(|(_, _, k)| k).collect();
    let signatures: Vec<Vec<u8>> = keys
        .iter()
        .filter_map(|k| signed.inputs.first()?.partial_sigs.get(k).map(|s| s.to_vec()))
        .collect();
    // Two signatures and nothing, or any of the three, where the cosigner's belongs.
    let (mut prevouts, mut tries) = (Vec::new(), vec![Vec::new()]);
    prevouts.extend(
        spend
            .inputs
            .iter()
            .map(|i| bitcoin::TxOut { value: i.amount, script_pubkey: i.script.clone() }),
    );
    tries.extend(signatures.iter().cloned());
    let redeem = bitcoin::ScriptBuf::new_p2wsh(&script.wscript_hash());
    for last in tries {
        let mut tx = spend.tx.clone();
        let mut items = vec![Vec::new()];
        items.extend(signatures.iter().take(2).cloned());
        items.extend([last, script.to_bytes()]);
        if let Some(input) = tx.input.first_mut() {
            input.witness = Witness::from_slice(&items);
            let push =
                bitcoin::script::PushBytesBuf::try_from(redeem.to_bytes()).map_err(Fail::failed)?;
            input.script_sig = bitcoin::script::Builder::new().push_slice(push).into_script();
        }
        if crate::cmd::finalize::consensus(&tx, &prevouts).is_ok() {
            // The keys alone spend: there is no worse result, and no code for it.
            return Ok(Tried { signatures: 1, changed: hex(&serialize(&tx)), ..Tried::default() });
        }
    }
    let violation =
        Violation::new(Code::ScriptFails, "the script asks for the cosigner's signature");
    Ok(Tried { violations: vec![violation], changed, ..Tried::default() })
}

/// The thief's second cosigner, from the backup, in a process of its own.
fn forked(world: &World) -> Result<(super::world::Signer, Client), Fail> {
    let signer = world.spawn_signer("backup")?;
    let client = Client::connect(&signer.socket)?;
    Ok((signer, client))
}

fn d05(world: &mut World) -> Result<Tried, Fail> {
    let papers = world.papers(&world.usual.clone(), 1_000_000_000, "d05", &["alice", "bob"])?;
    let note = head(world)?;
    let (_signer, mut client) = forked(world)?;
    client.ask(&Request::Begin)?;
    let answer = client.ask(&Request::Reserve(dossier(&papers, note)))?;
    Ok(Tried::from(answer, "the cosigner's directory as it was before the first payment"))
}

fn l02(world: &mut World) -> Result<Tried, Fail> {
    let note = head(world)?;
    let size: u64 = String::from_utf8_lossy(&note)
        .lines()
        .nth(1)
        .and_then(|l| l.parse().ok())
        .ok_or_else(|| Fail::failed("head"))?;
    let (_signer, mut client) = forked(world)?;
    loop {
        let Response::Status(status) = client.ask(&Request::Hello)? else {
            return Err(Fail::failed("no status"));
        };
        if status.size >= size {
            break;
        }
        // Entries that the thief can make: the approver that he holds freezes the copy's vault.
        let act = Act {
            vault_id: world.vault.id,
            author: Author::Person("dave".to_owned()),
            kind: ActKind::Freeze,
            nonce: trial::random()?,
        };
        let act = act.sign(&world.trial.person("dave")?.review);
        client.ask(&Request::Act(Box::new(act)))?;
    }
    let answer = client.ask(&Request::Head { note })?;
    Ok(Tried::from(answer, format!("a history of {size} entries with other content")))
}
