//! The one orchestrator. Every branch of a release is visible in [`Service::release`].

use tlog::policy::Witness;
use tlog::{SignedHead, WitnessPolicy};
use withdrawal::approval::Approval;
use withdrawal::code::Code;
use withdrawal::entry::{Body, Entry};
use withdrawal::facts::AssertedAges;
use withdrawal::genesis::Vault;
use withdrawal::protocol::{Appended, Dossier, Request, Response, Status};
use withdrawal::refusal::SignedRefusal;
use withdrawal::succession::{Succession, key_of_head};
use withdrawal::wire::Wire as _;

use crate::Error;
use crate::client::Client;
use crate::dir::VaultDir;
use crate::mirror::Mirror;
use crate::witnesses::{Answer, Transport, cosign, cosign_by, too_few};

/// Newest entries that are compared with a cosigner's before it serves.
const COMPARED: u64 = 256;

/// A whole withdrawal as files hold it.
pub struct Case<'a> {
    /// The intent's envelope.
    pub intent: &'a [u8],
    /// The PSBT, binary.
    pub psbt: &'a [u8],
    /// The approvals.
    pub approvals: &'a [Approval],
    /// Coin ages, as this side knows them.
    pub ages: AssertedAges,
}

/// How a release ended.
#[derive(Debug)]
pub enum Released {
    /// The PSBT with the cosigner's signatures; what is needed for the receipt is in the directory.
    Signed(Vec<u8>),
    /// The cosigner's signed no.
    Refused(Box<SignedRefusal>),
    /// The cosigner could not parse it.
    Malformed(String),
}

/// One vault, its cosigner, its witnesses.
pub struct Service<'a> {
    dir: &'a VaultDir,
    vault: Vault,
    policy: WitnessPolicy,
    /// The witnesses to be, once enough of them cosign as well.
    next: Vec<WitnessPolicy>,
    client: Client,
    mirror: Mirror,
    transport: &'a dyn Transport,
}

impl<'a> Service<'a> {
    /// Connects to a vault's cosigner.
    pub fn new(
        dir: &'a VaultDir,
        client: Client,
        transport: &'a dyn Transport,
    ) -> Result<Self, Error> {
        let vault = dir.vault()?;
        let policy = vault.witnesses.clone().ok_or_else(|| {
            Error::Refused(Code::EvaluateOnly, "nothing is signed for this vault".to_owned())
        })?;
        let mirror = Mirror::open(dir, vault.clone())?;
        let mut service = Self { dir, vault, policy, next: Vec::new(), client, mirror, transport };
        service.learn_witnesses()?;
        Ok(service)
    }

    /// Who the witnesses are, as the log says: a quorum may have replaced one.
    fn learn_witnesses(&mut self) -> Result<(), Error> {
        if self.mirror.head().size == 0 {
            return Ok(());
        }
        let state = self.mirror.state(&self.dir.heads()?)?;
        if let Some(now) = state.witnesses() {
            self.policy = now.clone();
        }
        self.next = state.next_witnesses().into_iter().map(|(_, next)| next).collect();
        Ok(())
    }

    /// The vault.
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The mirror.
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    fn status(&mut self) -> Result<Status, Error> {
        match self.client.ask(&Request::Hello)? {
            Response::Status(status) if status.vault_id == self.vault.id => Ok(status),
            Response::Status(_) => Err(Error::Peer("the cosigner serves another vault".to_owned())),
            other => Err(unexpected(&other)),
        }
    }

    /// Gets the cosigner to serve: missing entries first, then `start`, then its witnesses.
    pub fn open(&mut self) -> Result<(), Error> {
        let status = self.status()?;
        if status.serving {
            self.mirror.update(&mut self.client)?;
            return self.learn_witnesses();
        }
        if let Some(from) = self.missing(&status)? {
            self.restore(from)?;
        }
        if !self.status()?.begun {
            expect_appended(self.client.ask(&Request::Begin)?)?;
        }
        self.mirror.update(&mut self.client)?;
        self.learn_witnesses()?;
        let note = self.fresh_head()?;
        match self.client.ask(&Request::Head { note })? {
            Response::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// The first entry that the mirror has and the cosigner has not, or has another in its place.
    fn missing(&mut self, status: &Status) -> Result<Option<u64>, Error> {
        let size = self.mirror.head().size;
        let ours = self.mirror.note()?.unwrap_or_default();
        // A cosigner whose log goes on under another name has left the mirror behind, or is behind it.
        if size == 0 || origin(&ours) != origin(&status.head) {
            return Ok(self.mirror.is_behind_us(&status.head)?.then_some(0));
        }
        let from = status.size.min(size).saturating_sub(COMPARED);
        let Response::Entries { entries, .. } = self.client.ask(&Request::Entries { from })? else {
            return Err(Error::Peer("the cosigner gave no entries".to_owned()));
        };
        let mirrored = self.mirror.entries(from)?;
        let common = entries.iter().zip(&mirrored).take_while(|(a, b)| a == b).count() as u64;
        let first = if common == 0 { 0 } else { from + common };
        Ok((first < size).then_some(first))
    }

    /// Shows the cosigner what it lacks, under the newest head that witnesses cosign or have cosigned.
    fn restore(&mut self, from: u64) -> Result<(), Error> {
        let head = match self.fresh_head() {
            Ok(head) => head,
            // They may have seen more than the mirror; a head that they cosigned earlier still proves
            // what is under it.
            Err(refused) => std::fs::read(self.dir.head_path()).map_err(|_| refused)?,
        };
        let size = size_of(&head).unwrap_or(0).min(self.mirror.head().size);
        let mut entries = self.mirror.entries(from)?;
        entries.truncate(usize::try_from(size.saturating_sub(from)).unwrap_or(usize::MAX));
        match self.client.ask(&Request::Restore { from, entries, head })? {
            Response::Appended(_) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// The mirror's head with k cosignatures of this moment.
    pub fn fresh_head(&mut self) -> Result<Vec<u8>, Error> {
        let note = self.mirror.note()?.ok_or_else(|| Error::Peer("no head yet".to_owned()))?;
        let first = self.vault.log.as_ref().ok_or_else(|| Error::Peer("no log".to_owned()))?;
        let log = key_of_head(first, &note).map_err(Error::Peer)?;
        let signed = SignedHead::parse(&note, &log).map_err(|e| Error::Peer(e.to_string()))?;
        let log = std::sync::Mutex::new(self.mirror.log());
        // A witness may claim any size: beyond our end there is nothing to prove.
        let prove = |old: u64| log.lock().ok().and_then(|log| log.prove_consistency(old).ok());
        let (cosigned, answers) = cosign(&signed, &self.policy, self.transport, &prove);
        let enough = answers.iter().filter(|(_, a)| *a == Answer::Cosigned).count();
        if enough < self.policy.k() {
            return Err(too_few(&self.policy, &answers));
        }
        // What the present ones answered stands; those to come are asked as well.
        let known = self.policy.keys();
        let mut others: Vec<Witness> =
            self.next.iter().flat_map(|next| next.witnesses().to_vec()).collect();
        others.retain(|w| !known.contains(&w.key));
        let cosigned = match others.as_slice() {
            [] => cosigned,
            others => cosign_by(&cosigned, others, self.transport, &prove).0,
        };
        let note = cosigned.to_note();
        self.dir.keep_head(&note)?;
        Ok(note)
    }

    /// Hops 7 and 8: reserve, witness, countersign. The order is the cosigner's to enforce.
    pub fn release(&mut self, case: &Case<'_>) -> Result<Released, Error> {
        self.open()?;
        let head = self.fresh_head()?;
        let dossier = |head: Vec<u8>| {
            Box::new(Dossier {
                intent: case.intent.to_vec(),
                psbt: case.psbt.to_vec(),
                approvals: case.approvals.to_vec(),
                ages: case.ages.clone(),
                head,
            })
        };
        let reserved = match self.client.ask(&Request::Reserve(dossier(head)))? {
            Response::Appended(appended) => appended,
            other => return ended(other),
        };
        self.mirror.update(&mut self.client)?;
        // A head signed long ago shows no present time: the cosigner then asks for a new one.
        let head = self.fresh_head()?;
        let mut answer = self.client.ask(&Request::Countersign(dossier(head)))?;
        if is_stale(&answer) {
            expect_appended(self.client.ask(&Request::Tick)?)?;
            self.mirror.update(&mut self.client)?;
            let head = self.fresh_head()?;
            answer = self.client.ask(&Request::Countersign(dossier(head)))?;
        }
        match answer {
            Response::Signed { psbt, appended } => {
                self.mirror.update(&mut self.client)?;
                self.keep(case, &reserved, &appended)?;
                Ok(Released::Signed(psbt))
            }
            other => ended(other),
        }
    }

    /// Keeps what a receipt needs beside the log.
    fn keep(&self, case: &Case<'_>, reserved: &Appended, signed: &Appended) -> Result<(), Error> {
        let spend = case.approvals.first().map(|a| a.spend_digest);
        let Some(spend) = spend else { return Ok(()) };
        let path = self.dir.released_path(&spend);
        if path.join("entries").exists() {
            return Ok(());
        }
        let decided = self.mirror.log().entries(signed.entry, signed.entry + 1);
        let decided = decided.map_err(|e| Error::Peer(e.to_string()))?.pop().unwrap_or_default();
        let mut given: Vec<_> = case.approvals.iter().map(Approval::digest).collect();
        given.sort_unstable();
        match Entry::from_bytes(&decided).map(|entry| entry.body) {
            Ok(Body::Countersigned(record)) if record.sorted_approvals() == given => {}
            _ => {
                // It was signed before, by approvals that are not these: a receipt needs those.
                let what = "it was signed before under other approvals; release it with those, for the receipt";
                return Err(Error::Refused(Code::AlreadyReleased, what.to_owned()));
            }
        }
        self.dir.write(&path.join("intent.json"), case.intent)?;
        for (number, approval) in case.approvals.iter().enumerate() {
            self.dir.write(&path.join(format!("approval-{number}.json")), &approval.to_json())?;
        }
        let head = std::fs::read(self.dir.head_path()).map_err(crate::io("head"))?;
        self.dir.write(&path.join("head"), &head)?;
        // Last, because it says that the others are there.
        let numbers = format!("{} {}\n", reserved.entry, signed.entry);
        self.dir.write(&path.join("entries"), numbers.as_bytes())
    }

    /// Brings the mirror up to date and tells the cosigner the present time; a change of witnesses that
    /// was waiting for it comes into force.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.open()?;
        let note = self.fresh_head()?;
        match self.client.ask(&Request::Head { note })? {
            Response::Done => {}
            other => return Err(unexpected(&other)),
        }
        let before = self.mirror.head().size;
        self.mirror.update(&mut self.client)?;
        if self.mirror.head().size > before {
            self.learn_witnesses()?;
            self.fresh_head()?;
        }
        Ok(())
    }

    /// How many entries the cosigner has from before this run: what a backup holds.
    pub fn kept(&mut self) -> Result<u64, Error> {
        Ok(self.status()?.kept)
    }

    /// Sends a succession that its quorum has signed. `true` when witnesses follow the new log already.
    pub fn succeed(
        &mut self,
        succession: &Succession,
    ) -> Result<Result<(Appended, bool), Box<SignedRefusal>>, Error> {
        match self.client.ask(&Request::Succeed(Box::new(succession.clone())))? {
            Response::Appended(appended) => {
                self.mirror.update(&mut self.client)?;
                let note = self.fresh_head();
                let followed = note.is_ok_and(|note| {
                    matches!(self.client.ask(&Request::Head { note }), Ok(Response::Done))
                });
                Ok(Ok((appended, followed)))
            }
            Response::Refused(refusal) => Ok(Err(refusal)),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends a change that its quorum has signed, and has it witnessed.
    pub fn change(
        &mut self,
        change: &withdrawal::change::SignedChange,
    ) -> Result<Result<Appended, Box<SignedRefusal>>, Error> {
        self.open()?;
        let head = self.fresh_head()?;
        match self.client.ask(&Request::Head { note: head })? {
            Response::Done => {}
            other => return Err(unexpected(&other)),
        }
        match self.client.ask(&Request::Change(Box::new(change.clone())))? {
            Response::Appended(appended) => {
                self.mirror.update(&mut self.client)?;
                self.fresh_head()?;
                Ok(Ok(appended))
            }
            Response::Refused(refusal) => Ok(Err(refusal)),
            other => Err(unexpected(&other)),
        }
    }
}

fn origin(note: &[u8]) -> &[u8] {
    note.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn size_of(note: &[u8]) -> Option<u64> {
    std::str::from_utf8(note).ok()?.lines().nth(1)?.parse().ok()
}

fn is_stale(answer: &Response) -> bool {
    match answer {
        Response::Refused(refusal) => {
            let violations = &refusal.refusal.violations;
            violations.len() == 1 && violations.iter().any(|v| v.code == Code::ClockUntrusted)
        }
        _ => false,
    }
}

fn expect_appended(response: Response) -> Result<Appended, Error> {
    match response {
        Response::Appended(appended) => Ok(appended),
        other => Err(unexpected(&other)),
    }
}

fn ended(response: Response) -> Result<Released, Error> {
    match response {
        Response::Refused(refusal) => Ok(Released::Refused(refusal)),
        Response::Malformed { what } => Ok(Released::Malformed(what)),
        other => Err(unexpected(&other)),
    }
}

/// An answer that is none to what was asked.
pub fn unexpected(response: &Response) -> Error {
    match response {
        Response::Refused(refusal) => match refusal.refusal.violations.first() {
            Some(violation) => Error::Refused(violation.code, violation.detail.clone()),
            None => Error::Peer("refused".to_owned()),
        },
        Response::Malformed { what } | Response::Failed { what } => {
            Error::Peer(format!("the cosigner: {what}"))
        }
        _ => Error::Peer("the cosigner answered something else".to_owned()),
    }
}
