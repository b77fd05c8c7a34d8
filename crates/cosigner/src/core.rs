//! The cosigner's whole state and the one place where entries are appended.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};
use tlog::dir::{LogDir, is_sync_failure};
use tlog::log::{Log, LogError};
use tlog::{LogSigner, SignedHead, TreeHead};
use withdrawal::act::{OBJECT_BYTES_MAX, SignedAct};
use withdrawal::change::SignedChange;
use withdrawal::code::{Code, Violation};
use withdrawal::digest::Digest;
use withdrawal::entry::{Body, Entry};
use withdrawal::genesis::Vault;
use withdrawal::keys::SecretKey;
use withdrawal::protocol::{Acknowledgement, Appended, Request, Response, Status};
use withdrawal::refusal::{Refusal, SignedRefusal};
use withdrawal::sign::AccountKey;
use withdrawal::state::State;
use withdrawal::wire::Wire as _;
use withdrawal::witnessed::Accepted;

use crate::keyfile::{KeyFileError, Secrets};
use crate::store::{Store, StoreError};

/// Name of the encrypted key file.
pub const KEY_FILE: &str = "key";
/// Name of the file that binds the keys to a vault.
pub const VAULT_FILE: &str = "vault-id";
/// Name of the log's directory.
pub const LOG_DIR: &str = "log";
/// Name of the store of what follows from the log.
pub const STORE_FILE: &str = "state.redb";

/// A head that we signed is fresh for this long by our own timer; after that a tick is witnessed.
pub const FRESH: Duration = Duration::from_secs(600);
/// Acts that wait at most.
pub const QUEUE_MAX: usize = 256;
/// Entries given in one answer at most.
const ENTRIES_MAX: u64 = 512;

/// Why the cosigner could not do something.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The storage failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The log failed or does not fit its head.
    #[error("log: {0}")]
    Log(#[from] LogError),
    /// The key file.
    #[error("{0}")]
    Key(#[from] KeyFileError),
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Input that does not parse.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Refused.
    #[error("{0}: {1}")]
    Refused(Code, String),
    /// Something that should not be.
    #[error("{0}")]
    Broken(String),
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was appended yet; missing entries may be taken.
    Shut,
    /// `start` was appended at this entry and waits for its witnesses.
    Begun(u64),
    /// It was witnessed.
    Serving,
}

/// Acts on their way in, on a path of their own.
pub type Queue = Arc<Mutex<VecDeque<(SignedAct, Sender<Response>)>>>;

/// One cosigner, one vault.
pub struct Core {
    pub(crate) vault: Vault,
    pub(crate) reader: reader::Vault,
    pub(crate) account: AccountKey,
    pub(crate) signer: LogSigner,
    identity: SecretKey,
    pub(crate) log: LogDir,
    pub(crate) head: TreeHead,
    pub(crate) note: Vec<u8>,
    pub(crate) state: State,
    store: Store,
    random: SystemRandom,
    pub(crate) phase: Phase,
    /// Notes of the heads accepted since the last entry, as the store keeps them.
    sights: Vec<Vec<u8>>,
    /// Size and moment of each head signed in the last ten minutes of this run.
    heads_signed: VecDeque<(u64, Instant)>,
    /// Entry of this run's newest tick.
    ticked: Option<u64>,
    queue: Queue,
    /// A write failed: what is on disk is read again before anything else.
    pub(crate) doubtful: bool,
    /// A sync failed: this run decides nothing any more.
    stopped: bool,
}

impl Core {
    /// Opens a cosigner's directory; a missing log or key is an error, never made anew.
    pub fn open(dir: &Path, passphrase: &[u8]) -> Result<Self, CoreError> {
        let secrets = Secrets::load(&dir.join(KEY_FILE), passphrase)?;
        let broken = |what: &str| CoreError::Broken(what.to_owned());
        let signer = secrets.log().ok_or_else(|| broken("log key"))?;
        let account = secrets.account().ok_or_else(|| broken("account key"))?;
        let log = LogDir::open(&dir.join(LOG_DIR))?;
        let read = read_log(&log, &signer)?;
        let store = Store::open(&dir.join(STORE_FILE))?;
        let state = read.state;
        let vault = state.vault().clone();
        let bound = std::fs::read_to_string(dir.join(VAULT_FILE))?;
        if bound.trim() != vault.id.to_string() || vault.genesis.cosigner != secrets.public() {
            return Err(broken("log, keys and vault do not belong together"));
        }
        let reader = crate::decoders::check_vault(&vault).map_err(CoreError::Broken)?;
        let mut core = Self {
            reader,
            account,
            signer: read.signer,
            identity: secrets.identity(),
            log,
            head: read.head,
            note: read.note,
            state,
            store,
            random: SystemRandom::new(),
            phase: Phase::Shut,
            sights: Vec::new(),
            heads_signed: VecDeque::new(),
            ticked: None,
            queue: Queue::default(),
            doubtful: false,
            stopped: false,
            vault,
        };
        core.see_again()?;
        Ok(core)
    }

    /// Accepts again what was accepted since the log's last entry. The notes are checked as when they
    /// came: what lies in the store is nobody's word.
    fn see_again(&mut self) -> Result<(), CoreError> {
        self.sights.clear();
        // The store tells nothing that can't be told again by the next head.
        for note in self.store.sights(self.head.size).unwrap_or_default() {
            if let Ok(accepted) = self.check_head(&note)
                && self.state.accept(accepted.size(), accepted.now()).is_ok()
            {
                self.sights.push(note);
            }
        }
        Ok(())
    }

    /// Forgets heads accepted before the log was put in another's place.
    pub(crate) fn forget_sights(&mut self) {
        self.sights.clear();
        self.ticked = None;
        self.heads_signed.clear();
    }

    /// Whether storage failed in a way that only a new start can judge.
    pub const fn stopped(&self) -> bool {
        self.stopped
    }

    /// The queue of acts, for the second socket.
    pub fn queue(&self) -> Queue {
        Arc::clone(&self.queue)
    }

    /// The vault.
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// What follows from the log, and the time accepted last.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The refusals kept.
    pub fn refusals(&self) -> Result<Vec<SignedRefusal>, CoreError> {
        Ok(self.store.refusals()?)
    }

    /// Answers one request. Errors become answers; nothing here ends the process.
    pub fn answer(&mut self, request: Request) -> Response {
        if self.stopped {
            let what = "storage failed in this run; nothing more is decided until a new start";
            return Response::Failed { what: what.to_owned() };
        }
        if self.doubtful
            && let Err(error) = self.read_again()
        {
            return Response::Failed { what: error.to_string() };
        }
        let answer = match request {
            Request::Hello => self.status(),
            Request::Entries { from } => self.entries(from),
            Request::Restore { from, entries, head } => self.restore(from, &entries, &head),
            Request::Begin => self.begin(),
            Request::Head { note } => self.head(&note),
            Request::Reserve(dossier) => self.reserve(&dossier),
            Request::Countersign(dossier) => self.countersign(&dossier),
            Request::Change(change) => self.change(*change),
            Request::Tick => self.tick(),
            Request::Act(act) => self.act(*act),
            Request::Consistency { old, new } => self.consistency(old, new),
            Request::Succeed(succession) => self.succeed(*succession),
            Request::Recover(recovered) => self.recover(*recovered),
        };
        answer.unwrap_or_else(|error| match error {
            CoreError::Refused(code, what) => {
                self.refuse(None, None, vec![Violation::new(code, what)])
            }
            CoreError::Malformed(what) => Response::Malformed { what },
            CoreError::Io(error) | CoreError::Log(LogError::Io(error))
                if is_sync_failure(&error) =>
            {
                self.stopped = true;
                Response::Failed { what: error.to_string() }
            }
            other => Response::Failed { what: other.to_string() },
        })
    }

    fn read_again(&mut self) -> Result<(), CoreError> {
        let read = read_log(&self.log, &self.signer)?;
        (self.head, self.note, self.state) = (read.head, read.note, read.state);
        self.signer = read.signer;
        self.see_again()?;
        self.doubtful = false;
        Ok(())
    }

    /// How many entries are certain to be a backup's: behind the last that a witnessed head held, those
    /// that runs append without a witness are not (starts, ticks, acts, what a succession began).
    pub(crate) fn kept(&self) -> Result<u64, CoreError> {
        if self.phase == Phase::Serving {
            return Ok(self.head.size);
        }
        let seen = self.state.accepted().map_or(0, |sight| sight.size).max(1);
        let tail =
            Log::at(&self.log, self.head).entries(seen.min(self.head.size), self.head.size)?;
        let certain = tail.iter().rposition(|bytes| {
            !Entry::from_bytes(bytes).is_ok_and(|entry| {
                matches!(
                    entry.body,
                    Body::Start { .. }
                        | Body::Tick { .. }
                        | Body::Act(_)
                        | Body::Recovered(_)
                        | Body::Succession(_)
                )
            })
        });
        Ok(seen.min(self.head.size) + certain.map_or(0, |at| at as u64 + 1))
    }

    fn status(&self) -> Result<Response, CoreError> {
        let kept = self.kept()?;
        Ok(Response::Status(Status {
            vault_id: self.vault.id,
            size: self.head.size,
            kept,
            head: self.note.clone(),
            begun: self.phase != Phase::Shut,
            serving: self.phase == Phase::Serving,
        }))
    }

    fn entries(&self, from: u64) -> Result<Response, CoreError> {
        let from = from.min(self.head.size);
        let to = self.head.size.min(from.saturating_add(ENTRIES_MAX));
        let entries = Log::at(&self.log, self.head).entries(from, to)?;
        Ok(Response::Entries { entries, head: self.note.clone() })
    }

    fn consistency(&self, old: u64, new: u64) -> Result<Response, CoreError> {
        if new != self.head.size || old > new {
            return Err(CoreError::Malformed(format!("the log has {} entries", self.head.size)));
        }
        let proof = Log::at(&self.log, self.head).prove_consistency(old)?;
        Ok(Response::Proof(proof.into_iter().map(|h| h.0).collect()))
    }

    /// The newest signed head.
    pub(crate) fn note(&self) -> Vec<u8> {
        self.note.clone()
    }

    /// A salt that nobody knew before.
    pub(crate) fn salt(&self) -> Result<[u8; 32], CoreError> {
        let mut salt = [0; 32];
        let filled = self.random.fill(&mut salt);
        filled.map_err(|_| CoreError::Broken("the system's random source failed".to_owned()))?;
        Ok(salt)
    }

    /// Appends entries durably; only then are they in force. Gives the number of the first.
    ///
    /// A crash before the head is in place loses all of them together; after it all are there.
    pub(crate) fn append(&mut self, bodies: Vec<Body>) -> Result<Appended, CoreError> {
        let first = self.head.size;
        // The first entry says what was accepted since the one before; the others of the batch follow at once.
        let mut observed = self.state.unlogged().to_vec();
        let entries: Vec<Entry> =
            bodies.into_iter().map(|b| Entry::new(std::mem::take(&mut observed), b)).collect();
        let bytes: Vec<Vec<u8>> = entries.iter().map(Entry::to_bytes).collect();
        let append = Log::at(&self.log, self.head).append(first, &bytes)?;
        let signed = SignedHead::sign(append.head, &self.signer)
            .map_err(|e| CoreError::Broken(e.to_string()))?;
        // From here on memory and disk may differ until both are done; if they do, disk is right.
        self.doubtful = true;
        for entry in &entries {
            self.state.apply(entry).map_err(|e| CoreError::Broken(e.to_string()))?;
        }
        self.note = signed.to_note();
        self.log.commit(&append, &self.note)?;
        self.head = append.head;
        self.sights.clear();
        self.heads_signed.retain(|(_, at)| at.elapsed() <= FRESH);
        self.heads_signed.push_back((self.head.size, Instant::now()));
        self.doubtful = false;
        // INVARIANT: memory has applied exactly what the log holds.
        debug_assert_eq!(self.state.size(), self.head.size);
        Ok(Appended { entry: first, head: self.note.clone() })
    }

    /// Takes a head with cosignatures: time goes on, and a `start` under it opens the cosigner.
    pub(crate) fn take_head(&mut self, note: &[u8]) -> Result<Accepted, CoreError> {
        let accepted = self.check_head(note)?;
        let before = self.state.unlogged().to_vec();
        self.state
            .accept(accepted.size(), accepted.now())
            .map_err(|v| CoreError::Refused(v.code, v.detail))?;
        let after = self.state.unlogged();
        if after != before {
            if after.len() == before.len() {
                self.sights.pop();
            }
            self.sights.push(accepted.head().signed().to_note());
            self.store.keep_sights(self.head.size, &self.sights)?;
        }
        if let Phase::Begun(start) = self.phase
            && accepted.size() > start
        {
            self.phase = Phase::Serving;
        }
        Ok(accepted)
    }

    /// Takes a head; one that enough of the witnesses to be have cosigned too brings them into force.
    fn head(&mut self, note: &[u8]) -> Result<Response, CoreError> {
        self.take_head(note)?;
        if self.phase != Phase::Serving {
            return Ok(Response::Done);
        }
        for (change, next) in self.state.next_witnesses() {
            let (Some(log), Some(now)) = (self.state.log(), self.state.witnesses()) else { break };
            let keys: Vec<_> = now.keys().iter().chain(next.keys()).cloned().collect();
            // Lines of strangers have no place in the log.
            let head = SignedHead::parse(note, log).map(|signed| signed.only(log, &keys).to_note());
            let Ok(head) = head else { break };
            if self.state.judge_switch(&change, &head).is_ok() {
                self.append(vec![Body::Witnessed { change, head }])?;
                break;
            }
        }
        Ok(Response::Done)
    }

    /// Checks a head with cosignatures against this log; nothing is accepted yet.
    fn check_head(&self, note: &[u8]) -> Result<Accepted, CoreError> {
        let (Some(log), Some(policy)) = (self.state.log(), self.state.witnesses()) else {
            return Err(CoreError::Broken("a vault without witnesses".to_owned()));
        };
        let view = Log::at(&self.log, self.head);
        Accepted::check(note, log, policy, |size| view.root_at(size).ok())
            .map_err(|v| CoreError::Refused(v.code, v.detail))
    }

    /// Whether a head was signed so long ago, by our own timer, that it shows no present time. A head
    /// of an earlier run always is.
    pub(crate) fn is_stale(&self, size: u64) -> bool {
        !self.heads_signed.iter().any(|(signed, at)| *signed == size && at.elapsed() <= FRESH)
    }

    pub(crate) fn must_serve(&self) -> Result<(), CoreError> {
        if self.phase == Phase::Serving {
            return Ok(());
        }
        let what = "no witnessed head contains this run's start; nothing is signed until one does";
        Err(CoreError::Refused(Code::StateRollback, what.to_owned()))
    }

    /// Signs and keeps a refusal. It leaves no other trace.
    pub(crate) fn refuse(
        &self,
        intent: Option<Digest>,
        spend: Option<Digest>,
        violations: Vec<Violation>,
    ) -> Response {
        let signed = self.refusal(intent, spend, violations);
        // A full list drops refusals, never requests: failing to keep one changes no answer.
        let _ = self.store.keep(&signed);
        Response::Refused(Box::new(signed))
    }

    /// Refuses somebody's object. Unless one of the roster is `known` to have signed it, it leaves nothing
    /// behind, not even a refusal in the list, which would drop others'.
    pub(crate) fn refuse_object(&self, violation: Violation, known: bool) -> Response {
        if known {
            return self.refuse(None, None, vec![violation]);
        }
        Response::Refused(Box::new(self.refusal(None, None, vec![violation])))
    }

    fn refusal(
        &self,
        intent: Option<Digest>,
        spend: Option<Digest>,
        violations: Vec<Violation>,
    ) -> SignedRefusal {
        let observed = self.state.accepted();
        let refusal = Refusal { vault_id: self.vault.id, intent, spend, violations, observed };
        refusal.sign(&self.identity)
    }

    fn tick(&mut self) -> Result<Response, CoreError> {
        self.must_serve()?;
        // One unwitnessed tick is enough: time is nobody's means to fill the log.
        let seen = self.state.accepted().map_or(0, |sight| sight.size);
        if self.ticked.is_some_and(|tick| seen <= tick) {
            let what = "the last tick is not witnessed yet".to_owned();
            return Err(CoreError::Refused(Code::Budget, what));
        }
        let salt = self.salt()?;
        let appended = self.append(vec![Body::Tick { salt }])?;
        self.ticked = Some(appended.entry);
        Ok(Response::Appended(appended))
    }

    fn change(&mut self, change: SignedChange) -> Result<Response, CoreError> {
        self.must_serve()?;
        self.empty_queue();
        if change.to_bytes().len() > OBJECT_BYTES_MAX {
            return Err(CoreError::Malformed("change is over 16 KiB".to_owned()));
        }
        // Shown again it is not entered again, whatever stands under it now.
        if let Some(entry) = self.state.change_entry(&change.change.digest()) {
            return Ok(Response::Appended(Appended { entry, head: self.note() }));
        }
        if let Err(violation) = self.state.judge_change(&change) {
            let known = self.state.is_signed_by_any(&change);
            return Ok(self.refuse_object(violation, known));
        }
        self.append(vec![Body::Change(Box::new(change))]).map(Response::Appended)
    }

    /// Takes a person's or requester's act. Shown again, it is acknowledged again.
    pub(crate) fn act(&mut self, act: SignedAct) -> Result<Response, CoreError> {
        if act.to_bytes().len() > OBJECT_BYTES_MAX {
            return Err(CoreError::Malformed("act is over 16 KiB".to_owned()));
        }
        if let Err(violation) = self.state.judge_act(&act) {
            // The signature is what an act is judged by first.
            let known = !matches!(violation.code, Code::NotEntitled | Code::DigestMismatch);
            return Ok(self.refuse_object(violation, known));
        }
        let digest = act.act.digest();
        let known = self.state.acts().iter().find(|a| a.digest == digest).map(|a| a.entry);
        let entry = match known {
            Some(entry) => entry,
            None => {
                if self.phase == Phase::Shut {
                    self.begin()?;
                    // A start makes reservations ones that may be signed: that is judged too.
                    if let Err(violation) = self.state.judge_act(&act) {
                        return Ok(self.refuse(None, None, vec![violation]));
                    }
                }
                self.append(vec![Body::Act(act)])?.entry
            }
        };
        let log = Log::at(&self.log, self.head);
        let bytes = log.entries(entry, entry + 1)?.pop().unwrap_or_default();
        let proof = log.prove_inclusion(entry)?.into_iter().map(|h| h.0).collect();
        let head = self.note.clone();
        Ok(Response::Acknowledged(Box::new(Acknowledgement {
            act: digest,
            entry,
            bytes,
            proof,
            head,
        })))
    }

    /// Takes everything that waits on the second socket: before every decision.
    ///
    /// What arrives while it works waits for the next decision, so that no flood keeps one away.
    pub fn empty_queue(&mut self) {
        let waiting = match self.queue.lock() {
            Ok(mut queue) => std::mem::take(&mut *queue),
            Err(_) => return,
        };
        for (act, answer_to) in waiting {
            let answer = self.answer(Request::Act(Box::new(act)));
            // The author may have gone; the act is in force all the same.
            let _ = answer_to.send(answer);
        }
    }
}

/// What a whole log gives.
pub(crate) struct ReadLog {
    pub head: TreeHead,
    pub note: Vec<u8>,
    pub state: State,
    /// Signs under the log's present name.
    pub signer: LogSigner,
}

/// Reads a whole log: every entry, from genesis on.
pub(crate) fn read_log(log: &LogDir, signer: &LogSigner) -> Result<ReadLog, CoreError> {
    let broken = |what: String| CoreError::Broken(what);
    let note = log.head_note()?.ok_or_else(|| broken("the log has no head".to_owned()))?;
    // A succession gives the log another name; that it did is checked below.
    let origin = note.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let origin = std::str::from_utf8(origin).map_err(|e| broken(e.to_string()))?.to_owned();
    let signer = signer.renamed(&origin).map_err(|e| broken(e.to_string()))?;
    let signed = SignedHead::parse(&note, signer.verifier()).map_err(|e| broken(e.to_string()))?;
    let head = *signed.head();
    let view = Log::at(log, head);
    let mut state: Option<State> = None;
    let mut at = 0;
    while at < head.size {
        let to = head.size.min(at + ENTRIES_MAX);
        for bytes in view.entries(at, to)? {
            let entry =
                Entry::from_bytes(&bytes).map_err(|e| broken(format!("entry {at}: {e}")))?;
            let current = match state.take() {
                Some(state) => state,
                None => first_state(&entry)?,
            };
            let current = state.insert(current);
            current.apply(&entry).map_err(|e| broken(e.to_string()))?;
            at += 1;
        }
    }
    let state = state.ok_or_else(|| broken("the log is empty".to_owned()))?;
    if state.log() != Some(signer.verifier()) {
        return Err(broken(format!("the log's name `{origin}` is not the one that it declares")));
    }
    Ok(ReadLog { head, note, state, signer })
}

pub(crate) fn first_state(entry: &Entry) -> Result<State, CoreError> {
    let Body::Genesis(signed) = &entry.body else {
        return Err(CoreError::Broken("the log does not begin with genesis".to_owned()));
    };
    let vault = signed.genesis.clone().check().map_err(|e| CoreError::Broken(e.to_string()))?;
    Ok(State::new(vault))
}
