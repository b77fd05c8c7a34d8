//! What is found: severity, confidence and when it fires are three things, and what blocks is a fourth.

/// How bad it is if it is what it looks like.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Odd.
    Low,
    /// Look at it.
    Medium,
    /// It may cost something.
    High,
    /// It takes over the machine, or what lies on it.
    Critical,
}

impl Severity {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How sure it is that it is what it looks like.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Confidence {
    /// A look-alike is as likely.
    Low,
    /// Probably.
    Medium,
    /// The flow was followed to its end.
    High,
}

impl Confidence {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// When it fires, the earliest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fires {
    /// When an editor or shell opens the folder.
    Open,
    /// When git does something in it.
    Git,
    /// When it is installed.
    Install,
    /// When its tests run.
    Test,
    /// When a module of it is imported.
    Import,
    /// When somebody runs it.
    Run,
    /// When it is built.
    Build,
    /// When a container of it starts.
    Container,
}

impl Fires {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Git => "git",
            Self::Install => "install",
            Self::Test => "test",
            Self::Import => "import",
            Self::Run => "run",
            Self::Build => "build",
            Self::Container => "container",
        }
    }

    /// Whether nobody has to ask for it: anything but `import` and `run` (B2).
    #[must_use]
    pub const fn is_auto(self) -> bool {
        !matches!(self, Self::Import | Self::Run)
    }
}

/// Why it blocks: the rules of the contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Blocks {
    /// Bytes of a constant endpoint, or a decoded constant, reach what runs them.
    B1,
    /// An auto-run command pipes the network to an interpreter, or runs a file whose type belies its name.
    B2,
    /// Two kinds of secrets, or one strong store, reach a constant endpoint.
    B3,
}

impl Blocks {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::B1 => "B1",
            Self::B2 => "B2",
            Self::B3 => "B3",
        }
    }
}

/// A place in a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The file's path in the tree.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A step of a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Where.
    pub place: Place,
    /// What happens there.
    pub what: String,
}

/// A finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static crate::rules::Rule,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// When.
    pub fires: Fires,
    /// Why it blocks, if it does.
    pub blocks_by: Option<Blocks>,
    /// Where.
    pub place: Place,
    /// The line there.
    pub excerpt: String,
    /// The way of the bytes, the source first.
    pub flow: Vec<Step>,
}

/// The judgement of a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// Nothing was found. That is not *safe*.
    NoFindings,
    /// Nothing was found in what could be read.
    Incomplete,
    /// A person must look.
    Review,
    /// Don't open it.
    Block,
}

impl Verdict {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoFindings => "no_findings",
            Self::Incomplete => "incomplete",
            Self::Review => "review",
            Self::Block => "block",
        }
    }

    /// Over findings, and whether all was inspected.
    #[must_use]
    pub fn of(findings: &[Finding], inspected: bool) -> Self {
        let blocks = |f: &Finding| f.blocks_by.is_some() && f.confidence == Confidence::High;
        if findings.iter().any(blocks) {
            Self::Block
        } else if findings.iter().any(|f| f.severity >= Severity::Medium) {
            Self::Review
        } else if inspected {
            Self::NoFindings
        } else {
            Self::Incomplete
        }
    }
}
