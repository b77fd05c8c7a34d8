//! Arguments of what people decide about the vault itself: acts, proposals, succession.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args)]
pub struct Act {
    /// The vault's directory
    #[arg(long)]
    pub vault: PathBuf,
    /// Who acts, as named in the roster
    #[arg(long)]
    pub person: String,
    /// That person's review key
    #[arg(long)]
    pub review_key: PathBuf,
    /// The cosigner's second socket; by default DIR/submit.sock
    #[arg(long)]
    pub submit_socket: Option<PathBuf>,
    /// Also keep the signed act here
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct ActOn {
    #[command(flatten)]
    pub act: Act,
    /// The intent
    #[arg(long)]
    pub intent: PathBuf,
}

#[derive(Args)]
#[group(id = "proposal")]
pub struct Propose {
    /// The vault's directory
    #[arg(long)]
    pub vault: PathBuf,
    /// Where the unsigned change goes; `change sign` and `change apply` follow
    #[arg(long)]
    pub out: PathBuf,
    /// Days within which it must be signed and applied
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=30))]
    pub valid_days: u32,
}

#[derive(Args)]
#[group(id = "signing")]
pub struct Signing {
    /// Who signs, as named in the roster
    #[arg(long)]
    pub person: String,
    /// That person's review key
    #[arg(long)]
    pub review_key: PathBuf,
    /// That person's passkey
    #[arg(long)]
    pub passkey: PathBuf,
    /// Don't ask at the terminal whether the words were compared
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args)]
pub struct Collective {
    /// The vault's directory
    #[arg(long)]
    pub vault: PathBuf,
    /// Who signs; without anyone the proposal is only written
    #[arg(long, requires_all = ["review_key", "passkey"])]
    pub person: Option<String>,
    /// That person's review key
    #[arg(long, requires = "person")]
    pub review_key: Option<PathBuf>,
    /// That person's passkey
    #[arg(long, requires = "person")]
    pub passkey: Option<PathBuf>,
    /// The file that collects the signatures; by default in DIR/changes
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// The cosigner's second socket; by default DIR/submit.sock
    #[arg(long)]
    pub submit_socket: Option<PathBuf>,
    /// Don't ask at the terminal whether the words were compared
    #[arg(long)]
    pub yes: bool,
}

impl Collective {
    /// Who signs, if anyone does.
    pub fn signing(&self) -> Option<Signing> {
        let (person, review_key, passkey) =
            (self.person.clone()?, self.review_key.clone()?, self.passkey.clone()?);
        Some(Signing { person, review_key, passkey, yes: self.yes })
    }
}

#[derive(Args)]
pub struct Undo {
    #[command(flatten)]
    pub collective: Collective,
    /// Digest of the act, as `log show` prints it
    #[arg(long)]
    pub act: String,
    /// Suspend who did it
    #[arg(long)]
    pub suspend: bool,
}

#[derive(Args)]
pub struct RaiseFee {
    #[command(flatten)]
    pub collective: Collective,
    /// The intent
    #[arg(long)]
    pub intent: PathBuf,
    /// The highest fee of its transactions from now on
    #[arg(long)]
    pub max_fee_sat: u64,
}

#[derive(Subcommand)]
pub enum Roster {
    /// Propose people who come or go
    Propose {
        #[command(flatten)]
        propose: Propose,
        /// Enrolment record of someone who comes
        #[arg(long)]
        add: Vec<PathBuf>,
        /// Who goes
        #[arg(long)]
        remove: Vec<String>,
        /// Requester who comes, as KEYFILE or KEYFILE=PERSON
        #[arg(long)]
        add_requester: Vec<String>,
        /// Name of a requester who goes
        #[arg(long)]
        remove_requester: Vec<String>,
    },
    /// A person's credentials count no more, at once
    Revoke {
        #[command(flatten)]
        act: Act,
        /// Whose
        who: String,
    },
}

#[derive(Subcommand)]
pub enum Policy {
    /// Parse a policy file and say what it allows
    Check { file: PathBuf },
    /// Propose a new policy, or another witness in the place of one
    Propose {
        #[command(flatten)]
        propose: Propose,
        /// The new policy, TOML
        #[arg(long, conflicts_with = "witness_policy")]
        policy: Option<PathBuf>,
        /// The new witness policy with one witness replaced; k, n and f stay. It takes effect at a head
        /// that enough of the old and of the new witnesses cosign
        #[arg(long)]
        witness_policy: Option<PathBuf>,
    },
    /// Lower one number, at once
    Tighten {
        #[command(flatten)]
        act: Act,
        /// NAME=NUMBER, as limits.tx_max_sat=5000000; also window_max_sat, window_max_count and
        /// share_of_vault_max_ppm of limits, fee.max_sat, fee.max_rate_sat_vb, new_address.cap_sat
        #[arg(long)]
        set: String,
    },
}

#[derive(Subcommand)]
pub enum Allowlist {
    /// Propose addresses that come or go
    Propose {
        #[command(flatten)]
        propose: Propose,
        /// ADDRESS=LABEL
        #[arg(long)]
        add: Vec<String>,
        /// Address that goes
        #[arg(long)]
        remove: Vec<String>,
    },
    /// An address is paid no more, at once
    Remove {
        #[command(flatten)]
        act: Act,
        /// Which
        address: String,
    },
}

#[derive(Subcommand)]
pub enum Change {
    /// Sign a proposed change with passkey and review key
    Sign {
        /// The change, from a `propose` command
        change: PathBuf,
        #[command(flatten)]
        signing: Signing,
        /// The vault's directory, to see the change against what is now
        #[arg(long)]
        vault: Option<PathBuf>,
    },
    /// Hand a signed change to the cosigner
    Apply {
        /// The change, signed by a governance quorum
        change: PathBuf,
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// The cosigner's socket; by default DIR/cosigner.sock
        #[arg(long)]
        cosigner: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub enum Succession {
    /// Declare that the log goes on from what the cosigner's backup holds
    Propose {
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// The old log's newest head as the witnesses have it: SIZE:ROOT (from `witness show`), or a
        /// file with the head; a succession that still waits is declared anew without it
        #[arg(long)]
        old_head: Option<String>,
        /// An intent that was released after the backup was made; once for each
        #[arg(long)]
        released: Vec<PathBuf>,
        /// Where the declaration goes; `succession sign` and `succession apply` follow
        #[arg(long)]
        out: PathBuf,
        /// The cosigner's socket; by default DIR/cosigner.sock
        #[arg(long)]
        cosigner: Option<PathBuf>,
    },
    /// Sign a declaration with passkey and review key
    Sign {
        /// The declaration
        succession: PathBuf,
        #[command(flatten)]
        signing: Signing,
    },
    /// Hand a declaration to the restored cosigner; twelve hours by the witnesses' time begin
    Apply {
        /// The declaration, signed by a governance quorum
        succession: PathBuf,
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// The cosigner's socket; by default DIR/cosigner.sock
        #[arg(long)]
        cosigner: Option<PathBuf>,
    },
    /// Hand in an entry of the old log that the backup lacks: from DIR/acknowledged, or `log extract`
    HandIn {
        /// The entry with its proof
        entry: PathBuf,
        /// The vault's directory
        #[arg(long)]
        vault: PathBuf,
        /// The cosigner's second socket; by default DIR/submit.sock
        #[arg(long)]
        submit_socket: Option<PathBuf>,
    },
}
