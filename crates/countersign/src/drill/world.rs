//! The embedded parts, each a process of this very binary: a cosigner, four witnesses with clocks of
//! their own (one of them hostile), and the people's keys in memory.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bitcoin::{Amount, ScriptBuf};
use coordinator::build::Plan;
use coordinator::client::Client;
use coordinator::coins::{Coin, Coins};
use coordinator::dir::VaultDir;
use coordinator::service::Service;
use coordinator::trial::{self, Setup, Trial};
use cosigner::keyfile::Secrets;
use withdrawal::approval::Approval;
use withdrawal::digest::{Digest, hex};
use withdrawal::genesis::{AllowedAddress, Vault};
use withdrawal::intent::{Intent, Kind};
use withdrawal::network::Network;
use withdrawal::policy::{Policy, Quorum};
use withdrawal::state::State;
use withdrawal::time::Timestamp;
use withdrawal::wire::Wire as _;

use super::chain::{Chain, Ledger};
use super::theft;
use crate::fail::Fail;
use crate::files::{self, Force};
use crate::net::Http;

/// The drill's policy: listed addresses only, two people to 100 BTC, three above.
pub fn policy() -> Policy {
    let mut policy = Policy::warm();
    policy.limits.tx_max = Amount::from_sat(150_000_000_000);
    policy.limits.window_max = Amount::from_sat(200_000_000_000);
    policy.limits.share_max_ppm = 300_000;
    policy.limits.share_floor = Amount::from_sat(10_000_000_000);
    policy.allowlist.required = true;
    let approvers = |n| vec![("approvers".to_owned(), n)];
    policy.quorums = vec![
        Quorum {
            above: Amount::ZERO,
            groups: approvers(2),
            zones: 2,
            distinct_persons: true,
            self_approval: false,
        },
        Quorum {
            above: Amount::from_sat(10_000_000_000),
            groups: approvers(3),
            zones: 2,
            distinct_persons: true,
            self_approval: false,
        },
    ];
    policy.governance.quorum = approvers(3);
    policy
}

/// Approvers in two network zones, and someone at the wallet vendor.
const PEOPLE: &[(&str, &str, bool)] = &[
    ("alice", "tokyo", false),
    ("bob", "osaka", false),
    ("carol", "tokyo", false),
    ("dave", "osaka", false),
    ("vendor", "vendor", true),
];

/// A withdrawal with its papers.
#[derive(Clone)]
pub struct Papers {
    pub intent: Vec<u8>,
    pub psbt: Vec<u8>,
    pub approvals: Vec<Approval>,
}

/// A cosigner in a process of its own.
pub struct Signer {
    child: Child,
    pub socket: PathBuf,
    pub submit: PathBuf,
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that runs.
pub struct World {
    root: PathBuf,
    witnesses: Vec<Child>,
    signer: Option<Signer>,
    pub dir: VaultDir,
    pub vault: Vault,
    pub trial: Trial,
    pub chain: Chain,
    pub coins: Vec<Coin>,
    pub usual: ScriptBuf,
    pub treasury: ScriptBuf,
    pub thief: ScriptBuf,
    next_change: u32,
}

impl Drop for World {
    fn drop(&mut self) {
        for child in &mut self.witnesses {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.signer = None;
        let _ = trial::remove(&self.root);
    }
}

fn exe() -> Result<PathBuf, Fail> {
    std::env::current_exe().map_err(|e| Fail::failed(format!("this program: {e}")))
}

/// Starts a process of this binary and waits for its `ready` line; gives the word behind it.
fn spawn(args: &[&str]) -> Result<(Child, String), Fail> {
    let failed = |e: std::io::Error| Fail::failed(format!("{}: {e}", args.join(" ")));
    let mut child = Command::new(exe()?)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
    }
    match line.trim().strip_prefix("ready ") {
        Some(word) => Ok((child, word.to_owned())),
        None => {
            let _ = child.kill();
            Err(Fail::failed(format!("`{}` did not start", args.join(" "))))
        }
    }
}

fn run(args: &[&str]) -> Result<(), Fail> {
    let status =
        Command::new(exe()?).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Fail::failed(format!("`{}` failed", args.join(" ")))),
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The thief's address: on the real network the real one; elsewhere one ground to look alike.
fn lookalike(network: Network, usual: &ScriptBuf) -> Result<ScriptBuf, Fail> {
    if network == Network::Bitcoin {
        return crate::cmd::address(theft::THIEF, network);
    }
    use bitcoin::hashes::Hash as _;
    let target = network.show(usual);
    let tail = target.get(target.len().saturating_sub(2)..).unwrap_or_default();
    let mut program: [u8; 20] = usual
        .as_bytes()
        .get(2..22)
        .and_then(|p| p.try_into().ok())
        .ok_or_else(|| Fail::failed("lookalike"))?;
    for nonce in 0u32..1_000_000 {
        if let Some(part) = program.get_mut(12..16) {
            part.copy_from_slice(&nonce.to_be_bytes());
        }
        let hash = bitcoin::hashes::hash160::Hash::from_byte_array(program);
        let script = ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_raw_hash(hash));
        if script != *usual && network.show(&script).ends_with(tail) {
            return Ok(script);
        }
    }
    Err(Fail::failed("no lookalike was found"))
}

impl World {
    /// Starts everything; with a node's URL on regtest, else in memory with real-looking addresses.
    pub fn start(node: Option<&str>) -> Result<Self, Fail> {
        let chain = match node {
            Some(url) => Chain::regtest(url)?,
            None => Chain::Memory(Ledger::default()),
        };
        let network = if node.is_some() { Network::Regtest } else { Network::Bitcoin };
        let root =
            std::env::temp_dir().join(format!("countersign-drill-{}", hex(&files::random::<8>()?)));
        let io = |e: std::io::Error| Fail::failed(format!("{}: {e}", root.display()));
        std::fs::create_dir_all(&root).map_err(io)?;
        let usual = match network {
            Network::Bitcoin => crate::cmd::address(theft::USUAL, network)?,
            _ => payee(1),
        };
        let (treasury, thief) = (payee(2), lookalike(network, &usual)?);
        let secrets = Secrets::generate(network).map_err(Fail::failed)?;
        let cosigner = root.join("cosigner");
        let passphrase = hex(&files::random::<32>()?);
        cosigner::init::keygen(&cosigner, &secrets, passphrase.as_bytes())?;
        files::write(&cosigner.join("passphrase"), passphrase.as_bytes(), Force(false), true)?;
        let keys = secrets.public().ok_or_else(|| Fail::failed("keys"))?;
        let log = root.join("log.vkey");
        files::write(&log, keys.log.as_bytes(), Force(false), false)?;
        let (witnesses, witness_policy) = start_witnesses(&root, &log)?;
        let allowed = |script: &ScriptBuf, label: &str| AllowedAddress {
            script: script.clone(),
            label: label.to_owned(),
        };
        let setup = Setup {
            network,
            nested: true,
            policy: policy(),
            allowlist: vec![
                allowed(&usual, "the usual address"),
                allowed(&treasury, "own treasury"),
            ],
            witness_policy,
            hostile_witnesses: 1,
            older: 26_280,
            requester_person: Some("dave".to_owned()),
            synced: Vec::new(),
        };
        let trial = Trial::new(network, PEOPLE)?;
        let genesis = trial.genesis(&setup, keys)?;
        cosigner::init::init(&cosigner, &genesis.to_bytes(), passphrase.as_bytes())?;
        let dir = VaultDir::create(&root.join("vault"), &genesis)?;
        let vault = dir.vault()?;
        let mut world = Self {
            root,
            witnesses,
            signer: None,
            dir,
            vault,
            trial,
            chain,
            coins: Vec::new(),
            usual,
            treasury,
            thief,
            next_change: 0,
        };
        let script = world.vault.script.clone();
        // DMM's coins: eight of 500 BTC and one of 503.
        let amounts = [[50_000_000_000; 8].as_slice(), &[50_300_000_000]].concat();
        world.coins = world.chain.fund(&script, &amounts)?;
        world.save_coins()?;
        // A backup of the cosigner's directory, from before it signed anything.
        copy_dir(&cosigner, &world.root.join("backup")).map_err(Fail::failed)?;
        world.signer = Some(world.spawn_signer("cosigner")?);
        Ok(world)
    }

    /// Starts a cosigner from a directory of this world.
    pub fn spawn_signer(&self, name: &str) -> Result<Signer, Fail> {
        let dir = self.root.join(name);
        let (socket, submit) =
            (self.root.join(format!("{name}.sock")), self.root.join(format!("{name}-2.sock")));
        let (child, _) = spawn(&[
            "cosigner",
            "run",
            &text(&dir),
            "--socket",
            &text(&socket),
            "--submit-socket",
            &text(&submit),
        ])?;
        Ok(Signer { child, socket, submit })
    }

    /// The network.
    pub const fn network(&self) -> Network {
        self.vault.genesis.network
    }

    /// The vault's id.
    pub fn vault_id(&self) -> String {
        self.vault.id.to_string()
    }

    /// A connection to the cosigner.
    pub fn client(&self) -> Result<Client, Fail> {
        let signer = self.signer.as_ref().ok_or_else(|| Fail::failed("no cosigner"))?;
        Ok(Client::connect(&signer.socket)?)
    }

    /// A connection to the cosigner's second socket.
    pub fn submit_client(&self) -> Result<Client, Fail> {
        let signer = self.signer.as_ref().ok_or_else(|| Fail::failed("no cosigner"))?;
        Ok(Client::connect(&signer.submit)?)
    }

    /// The orchestrator over this world's transport.
    pub fn service<'a>(&'a self, http: &'a Http) -> Result<Service<'a>, Fail> {
        Ok(Service::new(&self.dir, self.client()?, http)?)
    }

    /// What the mirror says.
    pub fn state(&self) -> Result<State, Fail> {
        Ok(crate::cmd::open(self.dir.path())?.state)
    }

    /// Writes the coins where the coordinator keeps them.
    pub fn save_coins(&self) -> Result<(), Fail> {
        Ok(Coins { tip: None, coins: self.coins.clone() }.save(&self.dir)?)
    }

    /// A day from now.
    pub fn tomorrow(&self) -> Timestamp {
        crate::cmd::wall_clock().plus(86_400)
    }

    /// A signed intent.
    pub fn intent(&self, to: &ScriptBuf, sat: u64, reference: &str) -> Result<Vec<u8>, Fail> {
        let state = self.state()?;
        let payments = [(to.clone(), sat, reference)];
        Ok(self.trial.intent(&state, Kind::Pay, &payments, 1_000_000, self.tomorrow())?)
    }

    /// A transaction for an intent.
    pub fn build(&mut self, intent: &[u8], fee_rate: u64) -> Result<Vec<u8>, Fail> {
        let state = self.state()?;
        let parsed = Intent::parse(intent).map_err(Fail::failed)?;
        Ok(self.plan(&state, fee_rate).build(&parsed)?.serialize())
    }

    /// A plan over this world's coins, with a fresh change address.
    pub fn plan<'a>(&'a mut self, state: &'a State, fee_rate: u64) -> Plan<'a> {
        self.next_change += 1;
        let change_index = self.next_change;
        Plan {
            script: &self.vault.script,
            coins: &self.coins,
            state,
            only: &[],
            fee_rate,
            change_index,
        }
    }

    /// The spend digest, by the second decoder, as on an approver's own machine.
    pub fn digest(&self, intent: &[u8], psbt: &[u8]) -> Result<Digest, Fail> {
        let vault = reader::Vault::parse(self.vault.script.text()).map_err(Fail::failed)?;
        let read = reader::read(psbt, &vault).map_err(Fail::failed)?;
        let intent = Intent::parse(intent).map_err(Fail::failed)?;
        Ok(Digest(reader::spend_digest(&read, &self.vault.id.0, &intent.digest().0)))
    }

    /// Approvals of a spend by some people.
    pub fn approve(
        &self,
        intent: &[u8],
        psbt: &[u8],
        people: &[&str],
    ) -> Result<Vec<Approval>, Fail> {
        let (state, digest) = (self.state()?, self.digest(intent, psbt)?);
        people
            .iter()
            .map(|id| Ok(self.trial.person(id)?.approve(&state, digest, self.tomorrow())?))
            .collect()
    }

    /// A whole withdrawal, approved.
    pub fn papers(
        &mut self,
        to: &ScriptBuf,
        sat: u64,
        reference: &str,
        people: &[&str],
    ) -> Result<Papers, Fail> {
        let intent = self.intent(to, sat, reference)?;
        let psbt = self.build(&intent, 5)?;
        let approvals = self.approve(&intent, &psbt, people)?;
        Ok(Papers { intent, psbt, approvals })
    }
}

fn start_witnesses(root: &Path, log: &Path) -> Result<(Vec<Child>, String), Fail> {
    let mut children = Vec::new();
    let mut policy = String::new();
    // Honest clocks differ by a little; the fourth witness is hostile and lives a month ahead.
    for (number, offset) in [(1, "0"), (2, "2"), (3, "-2"), (4, "2592000")] {
        let dir = root.join(format!("witness-{number}"));
        let key = root.join(format!("witness-{number}.vkey"));
        let name = format!("w{number}.drill.invalid");
        run(&["witness", "init", &text(&dir), "--name", &name, "--out", &text(&key)])?;
        run(&["witness", "trust", &text(&dir), "--log", &text(log)])?;
        let args = [
            "witness",
            "run",
            &text(&dir),
            "--listen",
            "127.0.0.1:0",
            "--clock-offset-secs",
            offset,
        ];
        let (child, url) = spawn(&args)?;
        children.push(child);
        let key = String::from_utf8(files::read(&key)?).map_err(Fail::failed)?;
        policy.push_str(&format!("witness w{number} {} {url}\n", key.trim()));
    }
    policy.push_str("group witnesses 3 w1 w2 w3 w4\nquorum witnesses\n");
    Ok((children, policy))
}

fn payee(number: u8) -> ScriptBuf {
    use bitcoin::hashes::Hash as _;
    let hash = bitcoin::hashes::hash160::Hash::hash(&[b'd', b'r', b'i', b'l', b'l', number]);
    ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_raw_hash(hash))
}

fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
