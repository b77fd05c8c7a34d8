//! A cosigner, its witnesses and its people in one process, with clocks that tests set.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use bitcoin::{Amount, Psbt, ScriptBuf};
use coordinator::build::Plan;
use coordinator::coins::Coin;
use coordinator::trial::{self, Setup, Trial, TrialPerson};
use cosigner::Core;
use cosigner::keyfile::Secrets;
use ed25519_dalek::SigningKey;
use tlog::dir::LogDir;
use tlog::log::Log;
use tlog::witness::{AddHead, Known, Refusal};
use tlog::{SignedHead, TreeHead, WitnessSigner};
use withdrawal::approval::Approval;
use withdrawal::code::Code;
use withdrawal::digest::Digest;
use withdrawal::entry::Entry;
use withdrawal::facts::AssertedAges;
use withdrawal::genesis::{AllowedAddress, SignedGenesis};
use withdrawal::intent::{Intent, Kind};
use withdrawal::network::Network;
use withdrawal::policy::Policy;
use withdrawal::protocol::{Appended, Dossier, Request, Response, Status};
use withdrawal::psbt::inspect;
use withdrawal::refusal::SignedRefusal;
use withdrawal::script::VaultAddress;
use withdrawal::state::State;
use withdrawal::time::Timestamp;
use withdrawal::wire::Wire as _;

/// When benches begin: 2026-01-01.
pub const BEGIN: u64 = 1_767_225_600;

/// The passphrase of every bench's cosigner.
pub const PASSPHRASE: &[u8] = b"bench";

/// A witness in memory, with a clock of its own.
pub struct BenchWitness {
    /// Signs.
    pub signer: WitnessSigner,
    /// What it knows of the log.
    pub known: Known,
    /// Its clock, in Unix seconds.
    pub time: u64,
    /// Whether it answers.
    pub up: bool,
}

/// One deployment.
pub struct Bench {
    /// Where the cosigner lives.
    pub dir: PathBuf,
    /// The cosigner.
    pub core: Core,
    /// Everyone else's keys.
    pub trial: Trial,
    /// Its witnesses.
    pub witnesses: Vec<BenchWitness>,
    /// The vault's coins.
    pub coins: Vec<Coin>,
    /// The usual payee, on the allow-list of genesis.
    pub usual: ScriptBuf,
    next_change: u32,
    references: u32,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A withdrawal ready to be put before the cosigner.
#[derive(Clone)]
pub struct Ready {
    /// The intent's envelope.
    pub intent: Vec<u8>,
    /// The PSBT.
    pub psbt: Vec<u8>,
    /// The approvals.
    pub approvals: Vec<Approval>,
    /// Coin ages.
    pub ages: AssertedAges,
}

impl Ready {
    /// The parsed intent.
    pub fn parsed(&self) -> Intent {
        Intent::parse(&self.intent).unwrap()
    }
}

/// A fresh directory under the system's temporary one.
pub fn temp_dir(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let dir =
        std::env::temp_dir().join(format!("countersign-{name}-{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// A P2WPKH script from a number; nobody has its key.
pub fn payee(number: u32) -> ScriptBuf {
    use bitcoin::hashes::Hash as _;
    let hash = bitcoin::hashes::hash160::Hash::hash(&number.to_be_bytes());
    ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_raw_hash(hash))
}

/// People of a bench: alice and bob approve from two zones, carol and dave too, mallory is a vendor's.
pub const PEOPLE: &[(&str, &str, bool)] = &[
    ("alice", "tokyo", false),
    ("bob", "osaka", false),
    ("carol", "tokyo", false),
    ("dave", "osaka", false),
    ("mallory", "vendor", true),
];

impl Bench {
    /// The warm template on regtest, three of four witnesses of whom one may be hostile.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same with a policy changed.
    pub fn with_policy(change: impl FnOnce(&mut Policy)) -> Self {
        Self::with(|setup| change(&mut setup.policy))
    }

    /// The same with anything of the setup changed.
    pub fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let dir = temp_dir("bench");
        let witnesses: Vec<BenchWitness> = (0..4u8)
            .map(|n| {
                let key = SigningKey::from_bytes(&[200 + n; 32]);
                let signer = WitnessSigner::new(&format!("w{n}.invalid"), key).unwrap();
                let known = Known { log: signer.verifier().clone(), head: TreeHead::EMPTY };
                BenchWitness { signer, known, time: BEGIN + u64::from(n), up: true }
            })
            .collect();
        let mut text = String::new();
        for (n, witness) in witnesses.iter().enumerate() {
            text.push_str(&format!("witness w{n} {}\n", witness.signer.verifier()));
        }
        text.push_str("group g 3 w0 w1 w2 w3\nquorum g\n");
        let usual = payee(1);
        let mut setup = Setup {
            network: Network::Regtest,
            nested: false,
            policy: Policy::warm(),
            allowlist: vec![AllowedAddress { script: usual.clone(), label: "usual".to_owned() }],
            witness_policy: text,
            hostile_witnesses: 1,
            older: 144,
            requester_person: None,
            synced: Vec::new(),
        };
        // Most tests are not about shares: with six coins of 10 BTC any payment is a large one.
        setup.policy.limits.share_floor = Amount::from_sat(100_000_000_000);
        change(&mut setup);
        let mut trial = Trial::new(setup.network, PEOPLE).unwrap();
        for person in trial.people.iter_mut().filter(|p| setup.synced.contains(&p.id)) {
            person.passkey.set_synced();
        }
        let secrets = Secrets::generate(setup.network).unwrap();
        cosigner::init::keygen(&dir, &secrets, PASSPHRASE).unwrap();
        let genesis = trial.genesis(&setup, secrets.public().unwrap()).unwrap();
        cosigner::init::init(&dir, &genesis.to_bytes(), PASSPHRASE).unwrap();
        let core = Core::open(&dir, PASSPHRASE).unwrap();
        let mut bench = Self {
            dir,
            core,
            trial,
            witnesses,
            coins: Vec::new(),
            usual,
            next_change: 0,
            references: 0,
        };
        let log = bench.core.vault().log.clone().unwrap();
        for witness in &mut bench.witnesses {
            witness.known.log = log.clone();
        }
        for _ in 0..6 {
            bench.fund(1_000_000_000);
        }
        bench.begin();
        bench
    }

    /// Adds a coin of the vault.
    pub fn fund(&mut self, sat: u64) -> Coin {
        let at = VaultAddress { branch: 0, index: u32::try_from(self.coins.len()).unwrap() };
        let coin = trial::coin(&self.core.vault().script, at, Amount::from_sat(sat)).unwrap();
        self.coins.push(coin.clone());
        coin
    }

    /// Has the cosigner begin, and its `start` witnessed.
    pub fn begin(&mut self) {
        assert!(matches!(self.ask(Request::Begin), Response::Appended(_)));
        let note = self.head().unwrap();
        assert_eq!(self.ask(Request::Head { note }), Response::Done);
    }

    /// Closes the cosigner and opens it again, as a restart does.
    pub fn restart(&mut self) {
        self.reopen();
        self.begin();
    }

    /// Closes and opens without beginning.
    pub fn reopen(&mut self) {
        // The store has one owner at a time: the old one goes first.
        let parked = temp_dir("parked");
        copy_dir(&self.dir, &parked);
        let mut other = Core::open(&parked, PASSPHRASE).unwrap();
        std::mem::swap(&mut self.core, &mut other);
        drop(other);
        let mut fresh = Core::open(&self.dir, PASSPHRASE).unwrap();
        std::mem::swap(&mut self.core, &mut fresh);
        drop(fresh);
        let _ = std::fs::remove_dir_all(parked);
    }

    /// A copy of the cosigner's directory.
    pub fn backup(&self) -> PathBuf {
        let backup = temp_dir("backup");
        copy_dir(&self.dir, &backup);
        backup
    }

    /// Puts a backup in the place of what there is, and opens it without beginning.
    pub fn go_back(&mut self, backup: &std::path::Path) {
        std::fs::remove_dir_all(&self.dir).unwrap();
        copy_dir(backup, &self.dir);
        self.reopen();
    }

    /// All entries of the cosigner's log.
    pub fn entries(&mut self) -> Vec<Vec<u8>> {
        let size = self.status().size;
        Log::at(&self.log(), self.own_head()).entries(0, size).unwrap()
    }

    /// The cosigner's own newest head.
    pub fn own_head(&mut self) -> TreeHead {
        let note = self.status().head;
        *SignedHead::parse(&note, self.core.state().log().unwrap()).unwrap().head()
    }

    /// An entry with its proof in the newest head.
    pub fn extract(&mut self, entry: u64) -> withdrawal::succession::Recovered {
        let log = self.log();
        let view = Log::at(&log, self.own_head());
        withdrawal::succession::Recovered {
            entry,
            bytes: view.entries(entry, entry + 1).unwrap().pop().unwrap(),
            proof: view.prove_inclusion(entry).unwrap().iter().map(|h| h.0).collect(),
            head: Vec::new(),
        }
    }

    /// Witnesses' operators add the log's present name by hand.
    pub fn follow(&mut self) {
        let log = self.core.state().log().unwrap().clone();
        for witness in &mut self.witnesses {
            witness.known = Known { log: log.clone(), head: TreeHead::EMPTY };
        }
    }

    /// One request.
    pub fn ask(&mut self, request: Request) -> Response {
        // Over the wire and back, so that every test is one of the encoding too.
        let request = Request::from_bytes(&request.to_bytes()).unwrap();
        let response = self.core.answer(request);
        Response::from_bytes(&response.to_bytes()).unwrap()
    }

    /// What the cosigner says of itself.
    pub fn status(&mut self) -> Status {
        match self.ask(Request::Hello) {
            Response::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    /// The cosigner's log directory.
    pub fn log(&self) -> LogDir {
        LogDir::open(&self.dir.join("log")).unwrap()
    }

    /// The newest head, cosigned by every witness that is up and willing; `None` if fewer than k were.
    pub fn head(&mut self) -> Option<Vec<u8>> {
        let (note, answers) = self.ferry();
        (answers.iter().filter(|a| a.is_ok()).count() >= 3).then_some(note)
    }

    /// The newest head with what every witness said.
    pub fn ferry(&mut self) -> (Vec<u8>, Vec<Result<(), Refusal>>) {
        let note = self.status().head;
        let key = self.core.state().log().unwrap().clone();
        let signed = SignedHead::parse(&note, &key).unwrap();
        let mut cosigned = signed.clone();
        let log = self.log();
        let view = Log::at(&log, *signed.head());
        let mut answers = Vec::new();
        for witness in self.witnesses.iter_mut() {
            if !witness.up {
                answers.push(Err(Refusal::Malformed("down")));
                continue;
            }
            let old_size = witness.known.head.size;
            let Ok(proof) = view.prove_consistency(old_size) else {
                answers.push(Err(Refusal::Conflict(old_size)));
                continue;
            };
            let request = AddHead { old_size, proof, note: note.clone() };
            match witness.known.check(&request) {
                Ok(accepted) => {
                    witness.known = accepted.known().clone();
                    let line = accepted.cosign(&witness.signer, witness.time).unwrap();
                    cosigned.add_lines(&line).unwrap();
                    answers.push(Ok(()));
                }
                Err(refusal) => answers.push(Err(refusal)),
            }
        }
        (cosigned.to_note(), answers)
    }

    /// Moves every witness's clock.
    pub fn pass_hours(&mut self, hours: u64) {
        for witness in &mut self.witnesses {
            witness.time += hours * 3600;
        }
    }

    /// The state as an auditor computes it from the log and the newest witnessed time.
    pub fn state(&mut self) -> State {
        let log = self.log();
        let note = self.status().head;
        let key = self.core.state().log().unwrap().clone();
        let head = *SignedHead::parse(&note, &key).unwrap().head();
        let mut state = State::new(self.core.vault().clone());
        for bytes in Log::at(&log, head).entries(0, head.size).unwrap() {
            state.apply(&Entry::from_bytes(&bytes).unwrap()).unwrap();
        }
        for sight in self.core.state().unlogged() {
            state.accept(sight.size, sight.now).unwrap();
        }
        assert_eq!(state.heads(), self.core.state().heads(), "live and replayed state agree");
        state
    }

    /// A time that is not over for a while.
    pub fn later(&self) -> Timestamp {
        Timestamp::clamped(self.witnesses[0].time + 30 * 86_400)
    }

    /// A reference that was not used yet.
    pub fn reference(&mut self) -> String {
        self.references += 1;
        format!("inv-{}", self.references)
    }

    /// An intent and a transaction for it, approved by some people.
    pub fn prepare(&mut self, kind: Kind, payments: &[(ScriptBuf, u64)], people: &[&str]) -> Ready {
        let named: Vec<(ScriptBuf, u64, String)> =
            payments.iter().map(|(s, sat)| (s.clone(), *sat, self.reference())).collect();
        let named: Vec<(ScriptBuf, u64, &str)> =
            named.iter().map(|(s, sat, r)| (s.clone(), *sat, r.as_str())).collect();
        let (state, expires) = (self.state(), self.later());
        let intent = self.trial.intent(&state, kind, &named, 100_000, expires).unwrap();
        let psbt = self.build(&intent, 5);
        self.ready(intent, psbt, people)
    }

    /// A payment of some satoshi to the usual payee, approved by alice and bob.
    pub fn payment(&mut self, sat: u64) -> Ready {
        let usual = self.usual.clone();
        self.prepare(Kind::Pay, &[(usual, sat)], &["alice", "bob"])
    }

    /// Builds a transaction for an intent.
    pub fn build(&mut self, intent: &[u8], fee_rate: u64) -> Vec<u8> {
        let intent = Intent::parse(intent).unwrap();
        self.plan(&[], fee_rate, |plan| plan.build(&intent).unwrap().serialize())
    }

    /// Plans with what the log says and a change address of its own.
    fn plan<T>(
        &mut self,
        only: &[bitcoin::OutPoint],
        fee_rate: u64,
        make: impl FnOnce(&Plan<'_>) -> T,
    ) -> T {
        let state = self.state();
        self.next_change += 1;
        make(&Plan {
            script: &self.core.vault().script,
            coins: &self.coins,
            state: &state,
            only,
            fee_rate,
            change_index: self.next_change,
        })
    }

    /// A refresh of exactly these coins.
    pub fn refresh(&mut self, coins: &[bitcoin::OutPoint], people: &[&str]) -> Ready {
        let (state, expires) = (self.state(), self.later());
        let intent = self.trial.intent(&state, Kind::Refresh, &[], 100_000, expires).unwrap();
        let psbt = self.build_from(&intent, coins);
        self.ready(intent, psbt, people)
    }

    /// Builds a transaction for an intent from exactly these coins.
    pub fn build_from(&mut self, intent: &[u8], coins: &[bitcoin::OutPoint]) -> Vec<u8> {
        let intent = Intent::parse(intent).unwrap();
        self.plan(coins, 5, |plan| plan.build(&intent).unwrap().serialize())
    }

    /// A version with a higher fee.
    pub fn bump(&mut self, psbt: &[u8], fee_rate: u64) -> Vec<u8> {
        let psbt = Psbt::deserialize(psbt).unwrap();
        self.plan(&[], fee_rate, |plan| plan.bump(&psbt).unwrap().serialize())
    }

    /// The spend digest of a PSBT for an intent, where it is proven.
    pub fn spend_digest(&self, intent: &[u8], psbt: &[u8]) -> Option<Digest> {
        let vault = self.core.vault();
        let spend = inspect(psbt, &vault.script).ok()?.spend?;
        Some(spend.digest(&vault.id, &Intent::parse(intent).ok()?.digest()))
    }

    /// Puts a withdrawal together, approved by some people.
    pub fn ready(&mut self, intent: Vec<u8>, psbt: Vec<u8>, people: &[&str]) -> Ready {
        let state = self.state();
        let spend = self.spend_digest(&intent, &psbt).unwrap_or(Digest::ZERO);
        let later = self.later();
        let approvals = people
            .iter()
            .map(|id| self.trial.person(id).unwrap().approve(&state, spend, later).unwrap())
            .collect();
        Ready { intent, psbt, approvals, ages: AssertedAges::default() }
    }

    /// A person.
    pub fn person(&self, id: &str) -> &TrialPerson {
        self.trial.person(id).unwrap()
    }

    /// The dossier of a withdrawal under a head.
    pub fn dossier(ready: &Ready, head: Vec<u8>) -> Box<Dossier> {
        Box::new(Dossier {
            intent: ready.intent.clone(),
            psbt: ready.psbt.clone(),
            approvals: ready.approvals.clone(),
            ages: ready.ages.clone(),
            head,
        })
    }

    /// Hop 7.
    pub fn reserve(&mut self, ready: &Ready) -> Response {
        let head = self.ferry().0;
        self.ask(Request::Reserve(Self::dossier(ready, head)))
    }

    /// Hop 8 under the newest head.
    pub fn countersign(&mut self, ready: &Ready) -> Response {
        let head = self.ferry().0;
        self.ask(Request::Countersign(Self::dossier(ready, head)))
    }

    /// Hops 7 and 8; the PSBT, or the codes of the refusal.
    pub fn release(&mut self, ready: &Ready) -> Result<Psbt, Vec<Code>> {
        match self.reserve(ready) {
            Response::Appended(_) => {}
            other => return Err(codes(&other)),
        }
        match self.countersign(ready) {
            Response::Signed { psbt, .. } => Ok(Psbt::deserialize(&psbt).unwrap()),
            other => Err(codes(&other)),
        }
    }

    /// What the cosigner says to a withdrawal that it must not sign. No signature may be in its log,
    /// its answer, or anywhere; nothing may have been counted.
    pub fn refused(&mut self, ready: &Ready) -> Vec<Code> {
        let before = self.status().size;
        let codes = match self.release(ready) {
            Ok(_) => panic!("signed"),
            Err(codes) => codes,
        };
        assert_eq!(self.status().size, before, "a refusal leaves no entry");
        codes
    }

    /// The receipt of what was just released: holders sign, scripts are satisfied, the log is mirrored.
    pub fn receipt(&mut self, ready: &Ready, signed: &Psbt) -> withdrawal::receipt::Receipt {
        use coordinator::{dir::VaultDir, finish, mirror::Mirror};
        use withdrawal::entry::Body;
        let vault = self.core.vault().clone();
        let spend = inspect(&ready.psbt, &vault.script).unwrap().spend.unwrap();
        let digest = self.spend_digest(&ready.intent, &ready.psbt).unwrap();
        let mut psbt = signed.clone();
        for holder in self.trial.holders.iter().take(2) {
            holder.sign_as_holder(&vault, &spend, &mut psbt).unwrap();
        }
        let (tx, _) = finish::finalize(psbt).unwrap();
        let head = self.head().unwrap();
        let entries = self.entries();
        let bodies: Vec<Body> =
            entries.iter().map(|bytes| Entry::from_bytes(bytes).unwrap().body).collect();
        let reserved =
            bodies.iter().rposition(|b| matches!(b, Body::Reservation(r) if r.spend == digest));
        let countersigned =
            bodies.iter().rposition(|b| matches!(b, Body::Countersigned(c) if c.spend == digest));
        let Body::Genesis(genesis) = &bodies[0] else { panic!("no genesis") };
        let root = temp_dir("vault");
        let dir = VaultDir::create(&root, genesis).unwrap();
        copy_dir(&self.dir.join("log"), &dir.mirror_path());
        let released = dir.released_path(&digest);
        dir.write(&released.join("intent.json"), &ready.intent).unwrap();
        for (number, approval) in ready.approvals.iter().enumerate() {
            let path = released.join(format!("approval-{number}.json"));
            dir.write(&path, &approval.to_json()).unwrap();
        }
        dir.write(&released.join("head"), &head).unwrap();
        let numbers = format!("{} {}", reserved.unwrap(), countersigned.unwrap());
        dir.write(&released.join("entries"), numbers.as_bytes()).unwrap();
        let mirror = Mirror::open(&dir, vault).unwrap();
        let receipt = finish::receipt(&dir, &mirror, &spend, &digest, &ready.psbt, &tx).unwrap();
        std::fs::remove_dir_all(root).unwrap();
        receipt
    }

    /// Sends an act and gives its entry, or the codes of its refusal.
    pub fn act(&mut self, act: withdrawal::act::SignedAct) -> Result<u64, Vec<Code>> {
        match self.ask(Request::Act(Box::new(act))) {
            Response::Acknowledged(ack) => Ok(ack.entry),
            other => Err(codes(&other)),
        }
    }

    /// Sends a change and gives its entry, or the codes of its refusal.
    pub fn change(
        &mut self,
        change: withdrawal::change::SignedChange,
    ) -> Result<Appended, Vec<Code>> {
        match self.ask(Request::Change(Box::new(change))) {
            Response::Appended(appended) => Ok(appended),
            other => Err(codes(&other)),
        }
    }

    /// An act of a person.
    pub fn act_of(&self, id: &str, kind: withdrawal::act::ActKind) -> withdrawal::act::SignedAct {
        let act = withdrawal::act::Act {
            vault_id: self.core.vault().id,
            author: withdrawal::act::Author::Person(id.to_owned()),
            kind,
            nonce: trial::random().unwrap(),
        };
        act.sign(&self.person(id).review)
    }

    /// Tells the cosigner the present time.
    pub fn tell_time(&mut self) {
        let note = self.head().unwrap();
        assert_eq!(self.ask(Request::Head { note }), Response::Done);
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

/// Codes of a refusal, each once; malformed input is `MALFORMED`. Anything else is a fault.
pub fn codes(response: &Response) -> Vec<Code> {
    match response {
        Response::Refused(refusal) => codes_of(refusal),
        Response::Malformed { .. } => vec![Code::Malformed],
        other => panic!("neither refused nor malformed: {other:?}"),
    }
}

fn codes_of(refusal: &SignedRefusal) -> Vec<Code> {
    let mut codes: Vec<Code> = refusal.refusal.violations.iter().map(|v| v.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Copies a directory: how a backup is stolen.
pub fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A genesis record signed again by all founders after a change to it.
pub fn resign(trial: &Trial, mut signed: SignedGenesis) -> SignedGenesis {
    let id = signed.genesis.vault_id();
    signed.signatures =
        trial.people.iter().map(|p| (p.id.clone(), p.review.sign_digest(&id))).collect();
    signed
}
