//! The withdrawal policy: numbers and quorums, enforced by the same code wherever it is judged.
//!
//! What a policy does not say is read in the strictest way; `docs/policy.md` lists every default.

use bitcoin::Amount;

use crate::person::Roster;
use crate::wire::{wire_enum, wire_struct};

/// Parts of a million, for shares: no floats where verdicts are made.
pub const PPM: u64 = 1_000_000;

/// How fast a vault may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Daily payments by people.
    Warm,
    /// Large stock; a later issue.
    Cold,
    /// Automatic payments under caps; a later issue.
    Hot,
}

wire_enum!(Tier { Warm = 0, Cold = 1, Hot = 2 });

/// Caps on what leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most that one transaction pays.
    pub tx_max: Amount,
    /// Length of the sliding window.
    pub window_hours: u32,
    /// Most that the window pays, fees included.
    pub window_max: Amount,
    /// Most transactions in the window.
    pub window_max_count: u32,
    /// Largest share of the vault in the window, in millionths.
    pub share_max_ppm: u32,
    /// Below this sum in the window the share is not judged.
    pub share_floor: Amount,
}
wire_struct!(Limits {
    tx_max,
    window_hours,
    window_max,
    window_max_count,
    share_max_ppm,
    share_floor
});

/// Caps on fees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeCaps {
    /// Most for one transaction.
    pub max: Amount,
    /// Most per virtual byte, in satoshi.
    pub max_rate_sat_vb: u64,
    /// Largest share of what is paid, in millionths.
    pub max_share_ppm: u32,
    /// Most that consolidations and refreshes cost in the window.
    pub budget_window: Amount,
}
wire_struct!(FeeCaps { max, max_rate_sat_vb, max_share_ppm, budget_window });

/// Caps on scripts that are not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAddress {
    /// Most paid to a script while it is new.
    pub cap: Amount,
    /// How long it is new.
    pub delay_hours: u32,
}
wire_struct!(NewAddress { cap, delay_hours });

/// Whether and how the allow-list binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowlistRules {
    /// Pay listed addresses only.
    pub required: bool,
    /// How long an entry must have stood.
    pub min_age_hours: u32,
    /// How long an entry holds; 0 for ever.
    pub max_age_days: u32,
}
wire_struct!(AllowlistRules { required, min_age_hours, max_age_days });

/// Who must approve from some sum on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// Applies to sums above this; all that apply must be met.
    pub above: Amount,
    /// Group and how many of it, by group name.
    pub groups: Vec<(String, u32)>,
    /// How many different network zones.
    pub zones: u32,
    /// One person counts once, whatever groups the person is in.
    pub distinct_persons: bool,
    /// Whether who asked may approve.
    pub self_approval: bool,
}
wire_struct!(Quorum { above, groups, zones, distinct_persons, self_approval });

/// How the rules themselves are loosened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governance {
    /// Group and how many of it.
    pub quorum: Vec<(String, u32)>,
    /// How long a change waits.
    pub delay_hours: u32,
    /// How long a credential must have stood before it counts.
    pub credential_min_age_hours: u32,
}
wire_struct!(Governance { quorum, delay_hours, credential_min_age_hours });

/// Hours in which payments leave, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    /// Days it applies to, Monday 0 to Sunday 6, as bits.
    pub days: u8,
    /// First minute of the day.
    pub from_minute: u16,
    /// Minute of the day behind the last.
    pub to_minute: u16,
}
wire_struct!(TimeWindow { days, from_minute, to_minute });

/// When payments leave.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TimeRules {
    /// The hours; none means any.
    pub windows: Vec<TimeWindow>,
    /// Time between reservation and signature.
    pub cooling_off_hours: u32,
}
wire_struct!(TimeRules { windows, cooling_off_hours });

/// A whole policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The author's own number.
    pub version: u32,
    /// Warm, cold or hot.
    pub tier: Tier,
    /// Caps on what leaves.
    pub limits: Limits,
    /// Caps on fees.
    pub fee: FeeCaps,
    /// Caps on new scripts.
    pub new_address: NewAddress,
    /// The allow-list's force.
    pub allowlist: AllowlistRules,
    /// From how many bits of likeness an address is refused.
    pub lookalike_min_bits: u32,
    /// Who must approve.
    pub quorums: Vec<Quorum>,
    /// Who may loosen.
    pub governance: Governance,
    /// When.
    pub time: TimeRules,
}
wire_struct!(Policy {
    version,
    tier,
    limits,
    fee,
    new_address,
    allowlist,
    lookalike_min_bits,
    quorums,
    governance,
    time,
});

/// People of the largest quorum: all their signatures under a change fit into one entry of the log.
pub const QUORUM_MAX: u32 = 16;

impl Policy {
    /// The warm template.
    pub fn warm() -> Self {
        let approvers = |count| vec![("approvers".to_owned(), count)];
        Self {
            version: 1,
            tier: Tier::Warm,
            limits: Limits {
                tx_max: Amount::from_sat(10_000_000_000),
                window_hours: 24,
                window_max: Amount::from_sat(30_000_000_000),
                window_max_count: 200,
                share_max_ppm: 250_000,
                share_floor: Amount::from_sat(1_000_000_000),
            },
            fee: FeeCaps {
                max: Amount::from_sat(1_000_000),
                max_rate_sat_vb: 500,
                max_share_ppm: 100_000,
                budget_window: Amount::from_sat(5_000_000),
            },
            new_address: NewAddress { cap: Amount::from_sat(100_000_000), delay_hours: 24 },
            allowlist: AllowlistRules { required: false, min_age_hours: 24, max_age_days: 365 },
            lookalike_min_bits: 20,
            quorums: vec![Quorum {
                above: Amount::ZERO,
                groups: approvers(2),
                zones: 2,
                distinct_persons: true,
                self_approval: false,
            }],
            governance: Governance {
                quorum: approvers(2),
                delay_hours: 24,
                credential_min_age_hours: 48,
            },
            time: TimeRules::default(),
        }
    }

    /// What is wrong with the policy in itself, if anything.
    pub fn fault(&self) -> Option<String> {
        let fail = |text: &str| Some(text.to_owned());
        if self.tier != Tier::Warm {
            return fail("tier: only `warm` is served yet");
        }
        if self.quorums.is_empty() || self.quorums.len() > 16 {
            return fail("quorum: 1 to 16 of them");
        }
        if !self.quorums.iter().any(|q| q.above == Amount::ZERO) {
            return fail("quorum: none applies from 0 satoshi on, so small sums would need nobody");
        }
        let groups = self.quorums.iter().map(|q| &q.groups).chain([&self.governance.quorum]);
        for group in groups {
            if group.is_empty()
                || group.iter().any(|(name, n)| *n == 0 || !crate::person::is_name(name))
            {
                return fail("quorum.groups: each needs a name and at least 1 person");
            }
            let repeats = |(at, (name, _)): (usize, &(String, u32))| {
                group.iter().skip(at + 1).any(|(other, _)| other == name)
            };
            if group.iter().enumerate().any(repeats) {
                return fail("quorum.groups: a group stands there twice");
            }
            if people(group) > QUORUM_MAX {
                return Some(format!("quorum.groups: more than {QUORUM_MAX} people"));
            }
        }
        if self.quorums.iter().any(|q| q.self_approval && people(&q.groups) < 2) {
            return fail("quorum.self_approval: one person could ask and approve alone");
        }
        if self.quorums.iter().any(|q| !q.distinct_persons) {
            return fail("quorum.distinct_persons: must be true, an approval is one person's");
        }
        if self.limits.share_max_ppm > 1_000_000 || self.fee.max_share_ppm > 1_000_000 {
            return fail("shares are 0 to 1");
        }
        let windows = self.limits.window_hours;
        if !(1..=24 * 31).contains(&windows) || self.lookalike_min_bits > 256 {
            return fail("limits.window_hours is 1 to 744, lookalike.min_bits at most 256");
        }
        for window in &self.time.windows {
            if window.from_minute >= window.to_minute || window.to_minute > 1440 || window.days == 0
            {
                return fail("time.windows: from before to, within one day, on some day");
            }
        }
        self.governance_fault()
    }

    /// Loosening must never be easier than spending.
    fn governance_fault(&self) -> Option<String> {
        for quorum in &self.quorums {
            for (group, need) in &quorum.groups {
                let have =
                    self.governance.quorum.iter().find(|(g, _)| g == group).map_or(0, |(_, n)| *n);
                if have < *need {
                    return Some(format!(
                        "governance.quorum: {have} of `{group}`, but a withdrawal needs {need}"
                    ));
                }
            }
            if quorum.zones > people(&quorum.groups) {
                return Some("quorum.zones: more zones than people".to_owned());
            }
        }
        if self.governance.delay_hours == 0 {
            return Some("governance.delay_hours: a change must wait".to_owned());
        }
        None
    }

    /// How many zones a governance quorum must span: as many as the strictest withdrawal.
    pub fn governance_zones(&self) -> u32 {
        self.quorums.iter().map(|q| q.zones).max().unwrap_or(0)
    }

    /// Whether the people of a roster could meet every quorum; the first that they can't.
    pub fn unmeetable(&self, roster: &Roster) -> Option<String> {
        let count = |group: &str| {
            let members = roster.persons.iter().filter(|p| p.group == group && !p.vendor);
            u32::try_from(members.count()).unwrap_or(u32::MAX)
        };
        let quorums = self.quorums.iter().map(|q| &q.groups).chain([&self.governance.quorum]);
        for groups in quorums {
            if let Some((group, need)) = groups.iter().find(|(group, need)| count(group) < *need) {
                return Some(format!("{} in group `{group}`, {need} are needed", count(group)));
            }
        }
        let mut zones: Vec<&str> =
            roster.persons.iter().filter(|p| !p.vendor).map(|p| p.zone.as_str()).collect();
        zones.sort_unstable();
        zones.dedup();
        if (zones.len() as u64) < u64::from(self.governance_zones()) {
            return Some(format!("{} zones, {} are needed", zones.len(), self.governance_zones()));
        }
        None
    }
}

fn people(groups: &[(String, u32)]) -> u32 {
    groups.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n))
}

/// A number that one person may lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `limits.tx_max_sat`.
    TxMax,
    /// `limits.window_max_sat`.
    WindowMax,
    /// `limits.window_max_count`.
    WindowCount,
    /// `limits.share_of_vault_max`, in millionths.
    SharePpm,
    /// `fee.max_sat`.
    FeeMax,
    /// `fee.max_rate_sat_vb`.
    FeeRate,
    /// `new_address.cap_sat`.
    NewAddressCap,
}
wire_enum!(Limit {
    TxMax = 1, WindowMax = 2, WindowCount = 3, SharePpm = 4, FeeMax = 5, FeeRate = 6, NewAddressCap = 7,
});

impl Limit {
    /// Name on the command line, and all of them.
    pub const ALL: [(&'static str, Self); 7] = [
        ("limits.tx_max_sat", Self::TxMax),
        ("limits.window_max_sat", Self::WindowMax),
        ("limits.window_max_count", Self::WindowCount),
        ("limits.share_of_vault_max_ppm", Self::SharePpm),
        ("fee.max_sat", Self::FeeMax),
        ("fee.max_rate_sat_vb", Self::FeeRate),
        ("new_address.cap_sat", Self::NewAddressCap),
    ];
}

impl Policy {
    /// Lowers one number; a value above the present one changes nothing.
    pub fn lower(&mut self, limit: Limit, value: u64) {
        let amount = Amount::from_sat(value);
        let small = u32::try_from(value).unwrap_or(u32::MAX);
        match limit {
            Limit::TxMax => self.limits.tx_max = self.limits.tx_max.min(amount),
            Limit::WindowMax => self.limits.window_max = self.limits.window_max.min(amount),
            Limit::WindowCount => {
                self.limits.window_max_count = self.limits.window_max_count.min(small);
            }
            Limit::SharePpm => self.limits.share_max_ppm = self.limits.share_max_ppm.min(small),
            Limit::FeeMax => self.fee.max = self.fee.max.min(amount),
            Limit::FeeRate => self.fee.max_rate_sat_vb = self.fee.max_rate_sat_vb.min(value),
            Limit::NewAddressCap => self.new_address.cap = self.new_address.cap.min(amount),
        }
    }
}
