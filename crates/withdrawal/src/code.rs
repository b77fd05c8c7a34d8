//! Every code a verdict or refusal can carry, with its class. A retired code is never used again.

use std::fmt;

/// What a code does to the verdict; the worst class present decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// More people must agree.
    Approval,
    /// Time must pass.
    Hold,
    /// Not as it stands.
    Deny,
}

impl Class {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $text:literal $class:ident $why:literal,)*) => {
        /// A stable code; `docs/codes.md` has a section on each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $why] $variant,)*
        }
        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// The code as it is printed.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
            /// What it does to a verdict.
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class),* }
            }
            /// One sentence on what it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $why),* }
            }
        }
    };
}

codes! {
    Malformed "MALFORMED" Deny "The input does not parse.",
    InputAmountUnproven "INPUT_AMOUNT_UNPROVEN" Deny "An input comes without the transaction that proves its amount.",
    PrevtxMismatch "PREVTX_MISMATCH" Deny "The previous transaction given for an input is another one.",
    UtxoFieldsDisagree "UTXO_FIELDS_DISAGREE" Deny "The two records of an input's coin differ in amount or script.",
    SighashForbidden "SIGHASH_FORBIDDEN" Deny "A signature type that does not commit to the whole transaction.",
    ChangeNotOurs "CHANGE_NOT_OURS" Deny "An output is marked as ours but carries a foreign key.",
    ChangePathOutOfWindow "CHANGE_PATH_OUT_OF_WINDOW" Deny "Change goes to a branch or index that no recovery would look at.",
    ChangeDescriptorMismatch "CHANGE_DESCRIPTOR_MISMATCH" Deny "Change with a key of ours, but not to this vault's script.",
    ValueOverflow "VALUE_OVERFLOW" Deny "Amounts over 21 million BTC or outputs above inputs.",
    TxLimits "TX_LIMITS" Deny "Too many inputs or outputs, too large, or dust.",
    ScriptTypeForbidden "SCRIPT_TYPE_FORBIDDEN" Deny "An output or input of a script type that is not paid to or spent here.",
    TxFormat "TX_FORMAT" Deny "Version, lock time or encoding that an honest builder does not make.",
    SequencePolicy "SEQUENCE_POLICY" Deny "A sequence number that delays the transaction.",
    DuplicateInput "DUPLICATE_INPUT" Deny "One coin is spent twice in a transaction.",
    PsbtModifiable "PSBT_MODIFIABLE" Deny "The PSBT says that inputs or outputs may still be added.",
    PreSignedState "PRE_SIGNED_STATE" Deny "A signature in the PSBT is invalid, foreign or final already.",
    NetworkMismatch "NETWORK_MISMATCH" Deny "Something belongs to another network.",
    ScriptMismatch "SCRIPT_MISMATCH" Deny "A script in the PSBT does not hash to the coin's script.",
    ForeignInput "FOREIGN_INPUT" Deny "An input is not a coin of this vault.",
    OutputNotApproved "OUTPUT_NOT_APPROVED" Deny "The transaction pays something that the intent does not ask for.",
    OutputAmountMismatch "OUTPUT_AMOUNT_MISMATCH" Deny "An output pays another amount than the intent asks for.",
    OutputMissing "OUTPUT_MISSING" Deny "The intent asks for an output that the transaction does not pay.",
    DuplicateReference "DUPLICATE_REFERENCE" Deny "A payment reference was used before in this vault.",
    DestinationNotAllowlisted "DESTINATION_NOT_ALLOWLISTED" Deny "The policy pays listed addresses only, and this is none.",
    AllowlistExpired "ALLOWLIST_EXPIRED" Deny "The allow-list entry is too old to be relied on.",
    AllowlistTooNew "ALLOWLIST_TOO_NEW" Hold "The allow-list entry has not aged yet.",
    NewAddressLimit "NEW_ADDRESS_LIMIT" Deny "More than the cap to a script while it is new.",
    NewAddressDelay "NEW_ADDRESS_DELAY" Hold "More than the cap to a script that is still new; it will have aged.",
    Lookalike "LOOKALIKE" Deny "An address improbably like a known one.",
    TxLimit "TX_LIMIT" Deny "More than the policy lets one transaction pay.",
    Velocity "VELOCITY" Deny "More than the policy lets the window pay.",
    VelocityCount "VELOCITY_COUNT" Deny "More transactions than the policy lets the window have.",
    ShareOfVault "SHARE_OF_VAULT" Deny "Too large a share of the vault in the window.",
    FeeLimit "FEE_LIMIT" Deny "The fee is above a cap of the policy or the intent.",
    SuperfluousInput "SUPERFLUOUS_INPUT" Deny "An input that could be left out.",
    QuorumNotMet "QUORUM_NOT_MET" Approval "Too few people of a group have approved.",
    ZoneMissing "ZONE_MISSING" Approval "Too few network zones stand behind the approvals.",
    ReviewMissing "REVIEW_MISSING" Approval "A passkey signed, but the person's own review machine did not.",
    SelfApproval "SELF_APPROVAL" Deny "Who asked has also approved.",
    DistinctPerson "DISTINCT_PERSON" Deny "One person or credential stands behind two approvals.",
    Rejected "REJECTED" Deny "A person who may has rejected this intent.",
    Cancelled "CANCELLED" Deny "The intent was cancelled, for ever.",
    CoolingOff "COOLING_OFF" Hold "The policy asks for time between request and signature.",
    TimeWindow "TIME_WINDOW" Hold "Outside the hours that the policy names.",
    NotYetValid "NOT_YET_VALID" Hold "The intent is not valid before a later time.",
    Expired "EXPIRED" Deny "Intent or approval has run out.",
    CosignerBypass "COSIGNER_BYPASS" Deny "Keys without the cosigner can spend, or it can't be ruled out.",
    ScriptFails "SCRIPT_FAILS" Deny "The consensus rules refuse the transaction.",
    CoinTooOld "COIN_TOO_OLD" Deny "A coin is so old that the recovery keys can spend it.",
    Frozen "FROZEN" Deny "The vault is frozen.",
    DecoderDisagree "DECODER_DISAGREE" Deny "The two decoders read different things from the same bytes.",
    ClockUntrusted "CLOCK_UNTRUSTED" Deny "The witnesses' times are missing, apart, or behind; bring a newer head.",
    WitnessQuorum "WITNESS_QUORUM" Deny "Too few witnesses stand behind the head, or the policy could not hold them.",
    LogRollback "LOG_ROLLBACK" Deny "The log shown is older than one that was witnessed.",
    LogFork "LOG_FORK" Deny "Two histories of one log.",
    StateRollback "STATE_ROLLBACK" Deny "The cosigner lacks entries that it wrote; it stays shut until it has them.",
    AlreadyReleased "ALREADY_RELEASED" Deny "The intent is served already, by another transaction.",
    NotAnchored "NOT_ANCHORED" Deny "Consistent in itself, but tied to no vault id that the reader trusts.",
    RosterChanged "ROSTER_CHANGED" Deny "The roster is another than the one approved under, or a person left it.",
    PolicyChanged "POLICY_CHANGED" Deny "The policy is another than the one approved under.",
    AllowlistChanged "ALLOWLIST_CHANGED" Deny "The allow-list is another than the one approved under.",
    CredentialTooNew "CREDENTIAL_TOO_NEW" Hold "A credential has not served its age yet.",
    PolicyChangePending "POLICY_CHANGE_PENDING" Hold "A policy change waits for its delay; until then the old one holds.",
    NoAssertion "NO_ASSERTION" Deny "A session is no signature: nothing here was signed by a person.",
    DigestMismatch "DIGEST_MISMATCH" Deny "A signature over something else.",
    AssertionInvalid "ASSERTION_INVALID" Deny "A passkey assertion that does not verify or is of the wrong kind.",
    AssertionPolicy "ASSERTION_POLICY" Deny "A passkey without user verification, or one that is synced where that is not allowed.",
    CloneSuspect "CLONE_SUSPECT" Deny "A passkey counter that shows two copies.",
    ReplacementNotApproved "REPLACEMENT_NOT_APPROVED" Deny "A replacement that changes what is paid or spends fewer coins.",
    InputState "INPUT_STATE" Deny "A coin that is spent, promised to another intent or not yet sure.",
    RequesterUnknown "REQUESTER_UNKNOWN" Deny "The intent is not signed by a requester of the roster.",
    RequestSigInvalid "REQUEST_SIG_INVALID" Deny "The intent's signature does not verify.",
    EvaluateOnly "EVALUATE_ONLY" Deny "The vault is judged and watched; nothing is signed for it.",
    Budget "BUDGET" Deny "Too many acts or requests by one key; later ones wait.",
    NotEntitled "NOT_ENTITLED" Deny "The signer may not do this.",
    FactMissing "FACT_MISSING" Deny "A fact that the policy asks for is not known.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Code {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|c| c.name() == text)
            .ok_or_else(|| format!("no code `{text}`"))
    }
}

/// One thing that a rule found, with what it compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub code: Code,
    /// A sentence for people.
    pub detail: String,
    /// What was compared, by name; amounts in satoshi.
    pub facts: Vec<(String, Fact)>,
}

/// A value beside a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A count or an amount in satoshi.
    Number(u64),
    /// Anything else.
    Text(String),
}

impl From<u64> for Fact {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bitcoin::Amount> for Fact {
    fn from(amount: bitcoin::Amount) -> Self {
        Self::Number(amount.to_sat())
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Violation {
    /// A violation without facts.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), facts: Vec::new() }
    }

    /// Adds a named fact.
    #[must_use]
    pub fn with(mut self, name: &str, fact: impl Into<Fact>) -> Self {
        self.facts.push((name.to_owned(), fact.into()));
        self
    }

    /// Adds the two facts of every cap.
    #[must_use]
    pub fn limit(self, limit: impl Into<Fact>, actual: impl Into<Fact>) -> Self {
        self.with("limit", limit).with("actual", actual)
    }
}
