//! What the authorities asked for after the theft, and how far this drill or organisation answers it.

/// How a measure stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A step or attack of this drill shows it.
    Tested,
    /// People and contracts must do it.
    Organisational,
    /// Not answered yet.
    NotCovered,
}

impl Standing {
    /// In the words of the report.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Tested => "tested here",
            Self::Organisational => "organisational",
            Self::NotCovered => "not covered",
        }
    }
}

use Standing::{NotCovered, Organisational, Tested};

/// Id, source, what was asked, standing, and what shows it.
pub const MEASURES: &[(&str, &str, &str, Standing, &str)] = &[
    (
        "M1",
        "FSA improvement order 2024-09-26",
        "one person performed signing; no check worked",
        Tested,
        "A05, H1",
    ),
    (
        "M2",
        "FSA improvement order 2024-09-26",
        "several keys kept together",
        Organisational,
        "the cosigner's key is its own process's; where holders keep theirs is theirs",
    ),
    ("M3", "FSA improvement order 2024-09-26", "no splitting over several wallets", NotCovered, ""),
    (
        "M4",
        "FSA improvement order 2024-09-26",
        "log retention inadequate",
        Tested,
        "D05, L02; log verify",
    ),
    ("M5", "FSA improvement order 2024-09-26", "authority concentrated", Organisational, ""),
    ("M6", "FSA improvement order 2024-09-26", "no independent audit", NotCovered, ""),
    (
        "M7",
        "FSA improvement order 2024-09-26",
        "external wallet adopted without risk review",
        Tested,
        "A18: the vendor is hostile",
    ),
    (
        "M8",
        "FSA improvement order 2024-09-26",
        "facts of the leak not established months later",
        Tested,
        "H3: the receipt tells who asked, approved and signed what",
    ),
    ("M9", "FSA improvement order 2024-09-26", "protect and inform customers", Organisational, ""),
    ("M10", "FSA improvement order 2024-09-26", "plan and monthly progress", Organisational, ""),
    (
        "M11",
        "FSA self-inspection 2024-09-26",
        "several persons, effective mutual check",
        Tested,
        "H1, A01",
    ),
    ("M12", "FSA self-inspection 2024-09-26", "separate cold wallets", NotCovered, ""),
    (
        "M13",
        "FSA self-inspection 2024-09-26",
        "whitelist destinations",
        Tested,
        "A18; the real transaction",
    ),
    (
        "M14",
        "FSA self-inspection 2024-09-26",
        "a response if the external wallet fails",
        Tested,
        "A18: the vendor takes part in nothing that must work",
    ),
    (
        "M15",
        "FSA self-inspection 2024-09-26",
        "management treats leak risk as top priority",
        Organisational,
        "the first page of this report",
    ),
    ("M16", "FSA re-inspection 2024-12-24", "re-inspect and report", Organisational, "this table"),
    ("M17", "NPA alert 2024-12-24", "multi-factor authentication", Tested, "A01, D02"),
    ("M18", "NPA alert 2024-12-24", "watch for suspicious access", NotCovered, ""),
    ("M19", "NPA alert 2024-12-24", "least privilege, limited in time", NotCovered, ""),
    (
        "M20",
        "NPA alert 2024-12-24",
        "central logs that survive deletion",
        Tested,
        "D05: witnesses remember",
    ),
    ("M21", "NPA alert 2024-12-24", "device limits", Tested, "A01: enrolled keys only"),
    ("M22", "NPA alert 2024-12-24", "staff do not run code from strangers", Organisational, ""),
    ("M23", "FBI notice 2024-12-23", "session cookies reused", Tested, "A01"),
    (
        "M24",
        "FBI notice 2024-12-23",
        "unencrypted vendor communications",
        Tested,
        "A18: every request is signed",
    ),
    ("M25", "FBI notice 2024-12-23", "a legitimate request was manipulated", Tested, "A18"),
    ("M26", "FBI notice 2024-12-23", "several employees targeted at once", Tested, "A05, D20"),
    (
        "M27",
        "FBI PSA 2024-09-03",
        "verify over a separate channel",
        Tested,
        "D02: the review machine",
    ),
    (
        "M28",
        "FBI PSA 2024-09-03",
        "no wallet data on connected devices",
        Organisational,
        "the cosigner has no network",
    ),
    ("M29", "FBI PSA 2024-09-03", "approvals from unconnected networks", Tested, "H1: two zones"),
    ("M30", "FBI PSA 2024-09-03", "only allow-listed programs run", Organisational, ""),
    (
        "M31",
        "FBI PSA 2024-09-03",
        "on suspicion disconnect",
        Tested,
        "D04, D20: one person stops it at once",
    ),
    ("M32", "AA22-108A", "patch, train", Organisational, ""),
    (
        "M33",
        "FSA policy draft 2026",
        "cold wallets alone are not enough",
        Tested,
        "the thief holds more and more",
    ),
    ("M34", "FSA policy draft 2026", "self-assessment", Organisational, ""),
    ("M35", "FSA policy draft 2026", "information sharing", NotCovered, ""),
    ("M36", "FSA policy draft 2026", "drills", Tested, "this drill"),
    (
        "M37",
        "Payment Services Act 63-11",
        "customer assets segregated, mostly cold",
        NotCovered,
        "",
    ),
    ("M38", "Payment Services Act 63-11-2", "redemption-guarantee assets", NotCovered, ""),
    ("M39", "Payment Services Act 63-15/16", "answer orders", Organisational, ""),
    ("M40", "CCSS v9.0", "spend verification, dual control", Tested, "H1, A18"),
    ("M41", "CCSS v9.0", "key compromise protocols", Tested, "D20; D05"),
    ("M42", "CCSS v9.0", "reserves, audit logs", NotCovered, "logs: D05, L02; reserves: not yet"),
];
