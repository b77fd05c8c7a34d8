//! The command line: nouns, then verbs. `docs/cli.md` walks through it once from `vault new` to `verify`.

mod governance;
mod tracing;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use withdrawal::network::Network;

use crate::screening::Limit;

pub use governance::{
    Act, ActOn, Allowlist, Change, Collective, Policy, Propose, RaiseFee, Roster, Signing,
    Succession, Undo,
};
pub use tracing::{
    Case, Classify, Cluster, CoinJoin, Graph, GraphBuild, GraphShow, Labels, RiskArgs, Trace,
    TracePath, TraceRun,
};

const EXITS: &str = "Exit codes: 0 fine; 1 failed (I/O, a file that exists); 2 usage or malformed input, with its place; \
3 refused, held, not in force, not verified or not anchored.\ndocs/cli.md walks through one withdrawal.";

/// Coins move only when the people who approved saw exactly the bytes that get signed.
#[derive(Parser)]
#[command(name = "countersign", version, arg_required_else_help = true, after_help = EXITS)]
pub struct Cli {
    /// One JSON document on stdout, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// Replace files that exist
    #[arg(long, global = true)]
    pub force: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Replay the theft of 31 May 2024 against a cosigner and witnesses, each a process of its own
    Drill(Drill),
    /// The signer: its keys, its vault, its process
    #[command(subcommand)]
    Cosigner(Cosigner),
    /// A holder's key in a file, for trials and drills
    #[command(subcommand)]
    HolderKey(HolderKey),
    /// A review key: an approver's own machine signs with it
    #[command(subcommand)]
    ReviewKey(NewKey),
    /// A passkey in a file, for trials and drills
    #[command(subcommand)]
    Passkey(Passkey),
    /// A requester's key
    #[command(subcommand)]
    Key(NewKey),
    /// Make a person's enrolment record, and read its twelve words aloud
    Enrol(Enrol),
    /// Vaults: new, imported, shown; receive addresses
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Sign a genesis record as one of its founders
    #[command(subcommand)]
    Genesis(Genesis),
    /// The vault's coins
    #[command(subcommand)]
    Coins(Coins),
    /// People and requesters
    #[command(subcommand)]
    Roster(Roster),
    /// Policies
    #[command(subcommand)]
    Policy(Policy),
    /// Known addresses
    #[command(subcommand)]
    Allowlist(Allowlist),
    /// Sign and apply proposed changes
    #[command(subcommand)]
    Change(Change),
    /// Say no to an intent, alone and at once
    Veto(ActOn),
    /// Stop the vault, alone and at once
    Freeze(Act),
    /// Start a frozen vault again; takes a governance quorum, one person after the other
    Unfreeze(Collective),
    /// Undo a one-person act; takes a governance quorum, one person after the other
    Undo(Undo),
    /// Ask for a withdrawal, or give one up
    #[command(subcommand)]
    Request(Request),
    /// Build, bump and decode transactions
    #[command(subcommand)]
    Psbt(Psbt),
    /// Judge a withdrawal offline; nothing is written
    Check(Check),
    /// Decode a withdrawal with the second decoder: what will be signed, what is new or looks alike
    Review(Review),
    /// Review, then sign with passkey and review key
    Approve(Approve),
    /// Review, then say no with passkey and review key, and tell the cosigner at once
    Reject(Approve),
    /// Sign as a holder with a key from a file
    Sign(Sign),
    /// Reserve, have it witnessed, and have it countersigned
    Release(Release),
    /// Combine, check by consensus rules, finish; write transaction and receipt
    Finalize(Finalize),
    /// A witness of the log
    #[command(subcommand)]
    Witness(Witness),
    /// The log
    #[command(subcommand)]
    Log(Log),
    /// Go on with a new log, after the bytes of the old one are lost or withheld
    #[command(subcommand)]
    Succession(Succession),
    /// Verify a receipt, offline
    Verify(Verify),
    /// The whole chain as a graph on this machine
    #[command(subcommand)]
    Graph(Graph),
    /// Follow coins: where they went, where they came from
    #[command(subcommand)]
    Trace(Trace),
    /// How risky addresses are, with reasons
    Risk(RiskArgs),
    /// Judge untrusted code without running it: a "pre-employment test", an attachment, a package
    Screen(Screen),
    /// The part of `screen` that reads, shut in
    #[command(hide = true)]
    ScreenChild(ScreenChild),
    /// Label lists
    #[command(subcommand)]
    Labels(Labels),
    /// Traces kept as folders
    #[command(subcommand)]
    Case(Case),
    /// Addresses that are one wallet, and why
    #[command(subcommand)]
    Cluster(Cluster),
    /// Transactions that mix
    #[command(subcommand)]
    Coinjoin(CoinJoin),
}

#[derive(Args)]
pub struct Drill {
    /// Which story
    #[arg(long, default_value = "dmm-2024")]
    pub scenario: String,
    /// Where the report goes
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// A regtest node's RPC URL; its transactions are then mined for real
    #[arg(long)]
    pub node: Option<String>,
    /// Try this attack only, as A18; the honest day goes before it
    #[arg(long, value_name = "ID")]
    pub attack: Option<String>,
}

#[derive(Args)]
pub struct Passphrase {
    /// File descriptor to read the passphrase from; else the systemd credential
    /// `cosigner-passphrase`, else the file `passphrase` in the directory (trials)
    #[arg(long)]
    pub passphrase_fd: Option<u32>,
}

#[derive(Subcommand)]
pub enum Cosigner {
    /// Make identity, log and account keys in an encrypted file
    Keygen {
        /// The cosigner's directory
        dir: PathBuf,
        /// Where the public parts go
        #[arg(long)]
        out: PathBuf,
        /// Network of the account key
        #[arg(long, default_value = "regtest")]
        network: Network,
        #[command(flatten)]
        passphrase: Passphrase,
    },
    /// Bind the keys to a vault, for ever
    Init {
        /// The cosigner's directory
        dir: PathBuf,
        /// The genesis record with every founder's signature
        #[arg(long)]
        genesis: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
    },
    /// Run the signer
    Run {
        /// The cosigner's directory
        dir: PathBuf,
        /// Socket for the coordinator
        #[arg(long)]
        socket: PathBuf,
        /// Socket for people's acts
        #[arg(long)]
        submit_socket: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
    },
    /// Hand a signed act straight to the signer's second socket
    Submit {
        /// The cosigner's second socket
        #[arg(long)]
        socket: PathBuf,
        /// The signed act, as `--out` of the act's command wrote it
        object: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum HolderKey {
    /// Make one; prints `[origin]xpub`
    New {
        /// Network of the key: bitcoin, testnet4, signet or regtest
        #[arg(long)]
        network: Network,
        /// Where the key file goes; it holds a secret
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum NewKey {
    /// Make one
    New {
        /// Where the key file goes; it holds a secret
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum Passkey {
    /// Make one in a file
    New {
        /// A key in a file; marked so, and refused by production templates
        #[arg(long)]
        software: bool,
        /// Where the passkey file goes; it holds a secret
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Args)]
pub struct Enrol {
    /// Short name: a-z 0-9 - _ .
    #[arg(long)]
    pub person: String,
    /// The person's review key
    #[arg(long)]
    pub review_key: PathBuf,
    /// The person's passkey
    #[arg(long)]
    pub passkey: PathBuf,
    /// Network zone that the person approves from
    #[arg(long)]
    pub zone: String,
    /// Group that policy counts the person in
    #[arg(long, default_value = "approvers")]
    pub group: String,
    /// Works for a vendor: never counts in a quorum
    #[arg(long)]
    pub vendor: bool,
    /// Where the record goes
    #[arg(long)]
    pub out: PathBuf,
}

#[derive(Subcommand)]
pub enum VaultCommand {
    /// Draft a genesis record and make the vault's directory
    New(VaultNew),
    /// Register an existing multisig, to be judged and watched, never signed
    Import {
        /// The wallet's descriptor, with or without its checksum
        descriptor: String,
        /// Where the vault's directory is made
        dir: PathBuf,
        /// Network of the wallet
        #[arg(long)]
        network: Network,
        /// The policy to judge by, TOML; by default the warm template's
        #[arg(long)]
        policy: Option<PathBuf>,
        /// Known address, as ADDRESS=LABEL
        #[arg(long)]
        allow: Vec<String>,
    },
    /// What it is, and every way to spend it
    Show { dir: PathBuf },
    /// A fresh receive address, derived by the second decoder
    Address {
        /// The vault's directory
        dir: PathBuf,
        /// Your note on what it is for
        #[arg(long)]
        label: Option<String>,
    },
}

#[derive(Args)]
pub struct VaultNew {
    /// Where the vault's directory is made
    pub dir: PathBuf,
    /// Network: bitcoin, testnet4, signet or regtest
    #[arg(long)]
    pub network: Network,
    /// `warm` (wsh) or `warm-nested` (sh(wsh))
    #[arg(long, default_value = "warm")]
    pub template: String,
    /// Public parts of the cosigner
    #[arg(long)]
    pub cosigner: PathBuf,
    /// `[origin]xpub` of a holder; once for each
    #[arg(long, required = true)]
    pub holder: Vec<String>,
    /// How many holders must sign; by default more than half
    #[arg(long)]
    pub threshold: Option<usize>,
    /// `[origin]xpub` of a recovery key; once for each
    #[arg(long, required = true)]
    pub recovery: Vec<String>,
    /// Blocks until the recovery keys can spend
    #[arg(long, default_value_t = 26_280)]
    pub older: u32,
    /// Enrolment record of a founder; once for each
    #[arg(long, required = true)]
    pub person: Vec<PathBuf>,
    /// Requester, as KEYFILE or KEYFILE=PERSON; with none, anyone's intent is judged
    #[arg(long)]
    pub requester: Vec<String>,
    /// Policy file; by default the warm template
    #[arg(long)]
    pub policy: Option<PathBuf>,
    /// Known address, as ADDRESS=LABEL
    #[arg(long)]
    pub allow: Vec<String>,
    /// tlog-policy file of the witnesses
    #[arg(long)]
    pub witness_policy: Option<PathBuf>,
    /// How many witnesses may be hostile
    #[arg(long, default_value_t = 0)]
    pub hostile_witnesses: u8,
    /// Everything on one host under one user: for trials
    #[arg(long)]
    pub embedded: bool,
}

#[derive(Subcommand)]
pub enum Genesis {
    /// Read the whole record, then sign it
    Sign {
        /// The vault's directory
        dir: PathBuf,
        /// Who signs, as named in the record
        #[arg(long)]
        person: String,
        /// That person's review key
        #[arg(long)]
        review_key: PathBuf,
        /// Don't ask at the terminal whether the words were compared
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub enum Coins {
    /// Look the coins up on a node
    Sync {
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// The node's RPC URL, as http://user:password@127.0.0.1:8332
        #[arg(long)]
        node: String,
        /// Addresses of each branch to look at; by default those in use and well beyond
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_001))]
        depth: Option<u32>,
    },
    /// Take the coins from a file
    Import {
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// Coins as JSON (docs/schemas/coins.json)
        file: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum Request {
    /// Make a signed intent
    New(RequestNew),
    /// Allow an intent's transactions a higher fee; takes a governance quorum, one person after the other
    RaiseFee(RaiseFee),
    /// Give up an intent that is not signed yet
    Cancel {
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// The intent to give up
        #[arg(long)]
        intent: PathBuf,
        /// The requester's key
        #[arg(long)]
        key: PathBuf,
        /// The cosigner's second socket; by default DIR/submit.sock
        #[arg(long)]
        submit_socket: Option<PathBuf>,
    },
}

#[derive(Args)]
pub struct RequestNew {
    /// The vault's directory
    #[arg(long)]
    pub vault: PathBuf,
    /// ADDRESS=SAT or ADDRESS=SAT=REFERENCE; once for each payment
    #[arg(long, conflicts_with = "csv")]
    pub to: Vec<String>,
    /// A file of address,amount_sat,reference lines
    #[arg(long)]
    pub csv: Option<PathBuf>,
    /// pay, consolidate or refresh
    #[arg(long, default_value = "pay")]
    pub kind: String,
    /// The highest fee accepted
    #[arg(long)]
    pub max_fee_sat: u64,
    /// Until when it may be served, as 2026-01-31T12:00:00Z
    #[arg(long)]
    pub expires: String,
    /// The requester's key
    #[arg(long)]
    pub key: PathBuf,
    /// Where the signed intent goes
    #[arg(long)]
    pub out: PathBuf,
}

#[derive(Subcommand)]
pub enum Psbt {
    /// Build a transaction for an intent
    Build {
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// The signed intent, from `request new`
        #[arg(long)]
        intent: PathBuf,
        /// Satoshi per virtual byte
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        fee_rate: u64,
        /// Spend exactly these coins, as TXID:VOUT
        #[arg(long)]
        coin: Vec<String>,
        /// Where the PSBT goes, in base64
        #[arg(long)]
        out: PathBuf,
    },
    /// The same payments with a higher fee
    Bump {
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// The transaction to replace, as it was built
        #[arg(long)]
        psbt: PathBuf,
        /// Satoshi per virtual byte
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        fee_rate: u64,
        /// Where the PSBT goes, in base64
        #[arg(long)]
        out: PathBuf,
    },
    /// Decode a PSBT
    Inspect {
        /// The PSBT, binary or base64
        psbt: PathBuf,
        /// The vault that it is to be judged for
        #[arg(long)]
        vault: Option<PathBuf>,
    },
}

#[derive(Args)]
pub struct Subject {
    /// The vault's directory
    #[arg(long)]
    pub vault: PathBuf,
    /// The signed intent, from `request new`
    #[arg(long)]
    pub intent: PathBuf,
    /// The transaction, from `psbt build` or a wallet; binary or base64
    #[arg(long)]
    pub psbt: PathBuf,
}

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    pub subject: Subject,
    /// JSON file of facts that only the cosigner can know, as you suppose them (docs/schemas/facts.json)
    #[arg(long)]
    pub facts: Option<PathBuf>,
    /// Directory of approvals
    #[arg(long)]
    pub approvals: Option<PathBuf>,
    /// As if it were then
    #[arg(long)]
    pub at: Option<String>,
}

#[derive(Args)]
pub struct Review {
    #[command(flatten)]
    pub subject: Subject,
}

#[derive(Args)]
pub struct Approve {
    #[command(flatten)]
    pub subject: Subject,
    #[command(flatten)]
    pub signing: Signing,
    /// Where the approval goes
    #[arg(long)]
    pub out: PathBuf,
    /// Where a reject goes at once: the cosigner's second socket, by default DIR/submit.sock
    #[arg(long)]
    pub submit_socket: Option<PathBuf>,
}

#[derive(Args)]
pub struct Sign {
    /// The vault's directory
    #[arg(long)]
    pub vault: PathBuf,
    /// The PSBT to sign
    #[arg(long)]
    pub psbt: PathBuf,
    /// The holder's key file
    #[arg(long)]
    pub key: PathBuf,
    /// Where the signed PSBT goes
    #[arg(long)]
    pub out: PathBuf,
}

#[derive(Args)]
pub struct Release {
    #[command(flatten)]
    pub subject: Subject,
    /// Directory of approvals
    #[arg(long)]
    pub approvals: PathBuf,
    /// Where the countersigned PSBT goes
    #[arg(long)]
    pub out: PathBuf,
    /// The cosigner's socket; by default DIR/cosigner.sock
    #[arg(long)]
    pub cosigner: Option<PathBuf>,
}

#[derive(Args)]
pub struct Finalize {
    /// The vault's directory
    #[arg(long)]
    pub vault: PathBuf,
    /// A signed PSBT; once for each signer's
    #[arg(long, required = true, num_args = 1..)]
    pub psbt: Vec<PathBuf>,
    /// Hand the transaction to the node
    #[arg(long, requires = "node")]
    pub broadcast: bool,
    /// The node's RPC URL, as http://user:password@127.0.0.1:8332
    #[arg(long)]
    pub node: Option<String>,
    /// Where the transaction goes, in hex
    #[arg(long)]
    pub out: PathBuf,
    /// Where the receipt goes
    #[arg(long)]
    pub receipt: PathBuf,
}

#[derive(Subcommand)]
pub enum Witness {
    /// Make a witness's key and directory
    Init {
        /// Where the witness's directory is made
        dir: PathBuf,
        /// Its name in the log's notes, as witness.example
        #[arg(long)]
        name: String,
        /// Where its verifier key goes
        #[arg(long)]
        out: PathBuf,
    },
    /// Trust a log, by the cosigner's public parts, a file with its verifier key, or a succession
    /// that moves a log trusted already: the old one is then cosigned no more
    Trust {
        /// The witness's directory
        dir: PathBuf,
        /// The file
        #[arg(long)]
        log: PathBuf,
        /// Don't ask at the terminal whether a succession's words were heard
        #[arg(long)]
        yes: bool,
    },
    /// The logs that it follows, with their newest heads as SIZE:ROOT
    Show {
        /// The witness's directory
        dir: PathBuf,
    },
    /// Serve
    Run {
        /// The witness's directory
        dir: PathBuf,
        /// Address and port; port 0 takes a free one
        #[arg(long)]
        listen: String,
        /// Seconds that its clock is off: for drills of hostile clocks
        #[arg(long, default_value_t = 0, hide = true, allow_hyphen_values = true)]
        clock_offset_secs: i64,
    },
}

#[derive(Subcommand)]
pub enum Log {
    /// Verify a whole log offline; names the first bad entry
    Verify {
        /// A vault's, a cosigner's or a log's directory
        dir: PathBuf,
        /// A newer head with cosignatures to hold the log to, such as a vault's `head`
        #[arg(long)]
        head: Option<PathBuf>,
    },
    /// List its entries
    Show {
        /// A vault's, a cosigner's or a log's directory
        dir: PathBuf,
    },
    /// Bring a vault's copy of the log up to date, and have its head witnessed
    Sync {
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// The cosigner's socket; by default DIR/cosigner.sock
        #[arg(long)]
        cosigner: Option<PathBuf>,
    },
    /// Take one entry out with its proof, for `succession hand-in`
    Extract {
        /// A vault's, a cosigner's or a log's directory
        dir: PathBuf,
        /// Its number
        #[arg(long)]
        entry: u64,
        /// Where it goes
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Args)]
pub struct Verify {
    /// The receipt, from `finalize`
    pub receipt: PathBuf,
    /// The vault id that you trust; without it nothing is anchored
    #[arg(long)]
    pub vault_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}

const VERDICTS: &str = "Exit codes: 0 no findings, which is not the same as safe; 10 block; 11 review; 3 incomplete: \
something could not be read; of several paths the first of 10, 11 and 3 that is present. 1 failed, no sandbox; 2 usage, or a \
path that is not there.\ndocs/screening.md says where to put it; docs/schemas/screen.json is the form of --json.";

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = VERDICTS)]
pub struct Screen {
    #[command(subcommand)]
    pub command: Option<ScreenCommand>,
    /// Folders, archives, repositories of git or single files; nothing in them is run
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How to say it: plain where nothing is said; json (as --json), a line a path; sarif, one document
    #[arg(long, value_parser = ["plain", "json", "sarif"])]
    pub format: Option<String>,
    /// What makes the exit code other than 0: with `block`, what is to be reviewed does not. What was not inspected always
    /// does
    #[arg(long, value_name = "VERDICT", value_parser = ["block", "review"])]
    pub fail_on: Option<String>,
    /// Findings that were looked at and may stay: a list in YAML or JSON of `path`, `rule`, `sha256` and `why`; all files on a
    /// finding's way have to be in it as they are
    #[arg(long, value_name = "FILE")]
    pub suppress: Option<PathBuf>,
    /// The project that this claims to be, a folder or archive: only what differs from it is told
    #[arg(long, value_name = "PATH")]
    pub upstream: Option<PathBuf>,
    /// Read without Landlock and seccomp; the result says so
    #[arg(long)]
    pub no_sandbox: bool,
    /// How much is read and followed; what is over is listed as not inspected. Names and defaults: file-mib=16,
    /// tree-mib=400, files=200000, nested=3 (archives in archives), code-mib=8 (of one file that is parsed),
    /// all-code-mib=32, work=10 (millions of expressions), memory-mib=3072, seconds=120 (of processor time)
    #[arg(long, value_name = "NAME=NUMBER")]
    pub limit: Vec<Limit>,
}

#[derive(Subcommand)]
pub enum ScreenCommand {
    /// Every rule; one rule with its why and how to check it
    Rules {
        /// One rule
        id: Option<String>,
    },
}

#[derive(Args, Clone)]
pub struct ScreenChild {
    pub path: PathBuf,
    #[arg(long)]
    pub no_sandbox: bool,
    #[arg(long)]
    pub leave_out: Vec<String>,
    #[arg(long)]
    pub limit: Vec<Limit>,
    #[arg(long)]
    pub upstream: Option<PathBuf>,
}
