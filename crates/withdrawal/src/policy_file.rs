//! Policy files: TOML in, a [`Policy`] out. Unknown keys are refused; absence is the strictest reading.

use std::collections::BTreeMap;

use bitcoin::Amount;
use serde::Deserialize;

use crate::policy::{
    AllowlistRules, FeeCaps, Governance, Limits, NewAddress, Policy, Quorum, Tier, TimeRules,
    TimeWindow,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    tier: String,
    #[serde(default)]
    limits: FileLimits,
    #[serde(default)]
    fee: FileFee,
    #[serde(default)]
    new_address: FileNewAddress,
    #[serde(default)]
    allowlist: FileAllowlist,
    #[serde(default)]
    lookalike: FileLookalike,
    #[serde(default)]
    quorum: Vec<FileQuorum>,
    #[serde(default)]
    governance: FileGovernance,
    #[serde(default)]
    time: FileTime,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FileLimits {
    tx_max_sat: u64,
    window_hours: Option<u32>,
    window_max_sat: u64,
    window_max_count: u32,
    share_of_vault_max: f64,
    share_floor_sat: u64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FileFee {
    max_sat: u64,
    max_rate_sat_vb: u64,
    max_share: f64,
    budget_window_sat: u64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FileNewAddress {
    cap_sat: u64,
    delay_hours: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FileAllowlist {
    required: Option<bool>,
    min_age_hours: Option<u32>,
    max_age_days: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FileLookalike {
    min_bits: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileQuorum {
    above_sat: u64,
    groups: BTreeMap<String, u32>,
    #[serde(default = "two")]
    zones: u32,
    #[serde(default = "yes")]
    distinct_persons: bool,
    #[serde(default)]
    self_approval: bool,
}

const fn two() -> u32 {
    2
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FileGovernance {
    quorum: BTreeMap<String, u32>,
    delay_hours: Option<u32>,
    credential_min_age_hours: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FileTime {
    windows: Vec<String>,
    cooling_off_hours: u32,
}

/// Why a policy file was refused: where and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {detail}")]
pub struct PolicyFileError {
    /// Line, or key.
    pub at: String,
    /// What is wrong.
    pub detail: String,
}

fn fault(at: &str, detail: impl Into<String>) -> PolicyFileError {
    PolicyFileError { at: at.to_owned(), detail: detail.into() }
}

fn share(at: &str, value: f64) -> Result<u32, PolicyFileError> {
    if !(0.0..=1.0).contains(&value) {
        return Err(fault(at, format!("{value} is not 0 to 1")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to a million, rounded down: a share is never milder than it is written"
    )]
    Ok((value * 1_000_000.0 + 1e-6).floor() as u32)
}

fn amount(at: &str, sat: u64) -> Result<Amount, PolicyFileError> {
    let amount = Amount::from_sat(sat);
    if amount > Amount::MAX_MONEY {
        return Err(fault(at, "more than 21 million BTC"));
    }
    Ok(amount)
}

/// `mon-fri 09:00-17:30`, in UTC.
fn window(text: &str) -> Option<TimeWindow> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let (days, hours) = text.split_once(' ')?;
    let day = |name: &str| DAYS.iter().position(|d| *d == name);
    let (first, last) = match days.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(days)?, day(days)?),
    };
    let days = (first..=last).fold(0u8, |bits, day| bits | 1 << day);
    let minute = |text: &str| -> Option<u16> {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour <= 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let (from, to) = hours.split_once('-')?;
    Some(TimeWindow { days, from_minute: minute(from)?, to_minute: minute(to)? })
}

/// Reads a policy file and checks it in itself.
pub fn parse(text: &str) -> Result<Policy, PolicyFileError> {
    let file: File = toml::from_str(text).map_err(|e| {
        let line = e
            .span()
            .map_or(0, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        fault(&format!("line {line}"), e.message())
    })?;
    let tier = match file.tier.as_str() {
        "warm" => Tier::Warm,
        "cold" => Tier::Cold,
        "hot" => Tier::Hot,
        other => return Err(fault("tier", format!("`{other}` is none of warm, cold, hot"))),
    };
    let mut windows = Vec::new();
    for text in &file.time.windows {
        let parsed = window(text);
        windows.push(parsed.ok_or_else(|| {
            fault("time.windows", format!("`{text}` is not like `mon-fri 09:00-17:30`"))
        })?);
    }
    let mut quorums = Vec::new();
    for quorum in file.quorum {
        quorums.push(Quorum {
            above: amount("quorum.above_sat", quorum.above_sat)?,
            groups: quorum.groups.into_iter().collect(),
            zones: quorum.zones,
            distinct_persons: quorum.distinct_persons,
            self_approval: quorum.self_approval,
        });
    }
    let policy = Policy {
        version: file.version,
        tier,
        limits: Limits {
            tx_max: amount("limits.tx_max_sat", file.limits.tx_max_sat)?,
            window_hours: file.limits.window_hours.unwrap_or(24),
            window_max: amount("limits.window_max_sat", file.limits.window_max_sat)?,
            window_max_count: file.limits.window_max_count,
            share_max_ppm: share("limits.share_of_vault_max", file.limits.share_of_vault_max)?,
            share_floor: amount("limits.share_floor_sat", file.limits.share_floor_sat)?,
        },
        fee: FeeCaps {
            max: amount("fee.max_sat", file.fee.max_sat)?,
            max_rate_sat_vb: file.fee.max_rate_sat_vb,
            max_share_ppm: share("fee.max_share", file.fee.max_share)?,
            budget_window: amount("fee.budget_window_sat", file.fee.budget_window_sat)?,
        },
        new_address: NewAddress {
            cap: amount("new_address.cap_sat", file.new_address.cap_sat)?,
            delay_hours: file.new_address.delay_hours.unwrap_or(24 * 7),
        },
        allowlist: AllowlistRules {
            required: file.allowlist.required.unwrap_or(true),
            min_age_hours: file.allowlist.min_age_hours.unwrap_or(48),
            max_age_days: file.allowlist.max_age_days.unwrap_or(365),
        },
        lookalike_min_bits: file.lookalike.min_bits.unwrap_or(12),
        quorums,
        governance: Governance {
            quorum: file.governance.quorum.into_iter().collect(),
            delay_hours: file.governance.delay_hours.unwrap_or(48),
            credential_min_age_hours: file.governance.credential_min_age_hours.unwrap_or(72),
        },
        time: TimeRules { windows, cooling_off_hours: file.time.cooling_off_hours },
    };
    match policy.fault() {
        None => Ok(policy),
        Some(what) => Err(fault("policy", what)),
    }
}

/// What a policy allows, in plain words, a line each.
pub fn describe(policy: &Policy) -> Vec<String> {
    let share = |ppm: u32| format!("{}.{:02} %", ppm / 10_000, ppm % 10_000 / 100);
    let groups = |groups: &[(String, u32)]| {
        groups.iter().map(|(g, n)| format!("{n} of `{g}`")).collect::<Vec<_>>().join(" and ")
    };
    let l = &policy.limits;
    let mut lines = vec![
        format!("one transaction pays at most {}", l.tx_max),
        format!(
            "{} hours pay at most {} in at most {} transactions, fees included",
            l.window_hours, l.window_max, l.window_max_count
        ),
        format!(
            "above {} in the window, at most {} of the coins that are proven",
            l.share_floor,
            share(l.share_max_ppm)
        ),
        format!(
            "a fee is at most {}, {} sat/vB and {} of the payment",
            policy.fee.max,
            policy.fee.max_rate_sat_vb,
            share(policy.fee.max_share_ppm)
        ),
        format!(
            "fees of consolidations and refreshes: at most {} in the window",
            policy.fee.budget_window
        ),
        format!(
            "a new address gets at most {} in its first {} hours",
            policy.new_address.cap, policy.new_address.delay_hours
        ),
        match policy.allowlist.required {
            true => "only listed addresses are paid".to_owned(),
            false => "addresses need not be listed".to_owned(),
        },
        format!(
            "an entry of the list counts after {} hours and for {} days",
            policy.allowlist.min_age_hours, policy.allowlist.max_age_days
        ),
        format!(
            "an address that looks like a known one by {} bits or more is refused",
            policy.lookalike_min_bits
        ),
    ];
    for quorum in &policy.quorums {
        lines.push(format!(
            "above {}: {} approve, from {} network zones{}",
            quorum.above,
            groups(&quorum.groups),
            quorum.zones,
            if quorum.self_approval { "; who asks may approve" } else { "" }
        ));
    }
    lines.push(format!(
        "loosening needs {}, waits {} hours, with credentials of {} hours or more",
        groups(&policy.governance.quorum),
        policy.governance.delay_hours,
        policy.governance.credential_min_age_hours
    ));
    for window in &policy.time.windows {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        lines.push(format!(
            "only on {} from {} to {} UTC",
            day_names(window.days),
            clock(window.from_minute),
            clock(window.to_minute)
        ));
    }
    if policy.time.cooling_off_hours > 0 {
        lines.push(format!(
            "{} hours pass between reservation and signature",
            policy.time.cooling_off_hours
        ));
    }
    lines
}

fn day_names(bits: u8) -> String {
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let on = (0u8..).zip(names).filter(|(day, _)| bits & (1 << day) != 0);
    on.map(|(_, name)| name).collect::<Vec<_>>().join(" ")
}
