//! `drill dmm-2024`: the theft of 31 May 2024 and the defence, on real parts in their own processes.
//!
//! It tells one story: what happened without Countersign, an honest day with it, a thief who holds more
//! and more, the real transaction judged, and what a full quorum could still take. A missing code, an
//! attack that was not tried, or any signature of the cosigner for a thief is exit 1.

mod attacks;
mod chain;
mod honest;
mod measures;
mod page;
mod picture;
mod report;
mod theft;
mod world;

use serde_json::{Value, json};
use withdrawal::code::{Code, Violation};

use crate::cli::Drill as Args;
use crate::cmd::Context;
use crate::fail::{Done, Fail};
use crate::show;

/// One honest step and whether it passed.
pub struct Honest {
    pub id: &'static str,
    pub title: String,
    pub ok: bool,
    pub secs: f64,
    pub txid: String,
}

/// One attack and how it ended.
pub struct Attack {
    pub id: &'static str,
    pub title: &'static str,
    /// What the thief holds by then, the newest last.
    pub holds: Vec<&'static str>,
    pub expected: Code,
    pub violations: Vec<Violation>,
    /// What was changed, in bytes or words.
    pub changed: String,
    /// Digest of the cosigner's signed refusal, where there is one.
    pub refusal: Option<String>,
    /// Signatures of the cosigner that came out.
    pub signatures: u32,
}

impl Attack {
    fn codes(&self) -> Vec<&'static str> {
        let mut codes: Vec<Code> = self.violations.iter().map(|v| v.code).collect();
        codes.sort_unstable();
        codes.dedup();
        // The one that belongs to the attack tells most.
        codes.sort_by_key(|code| *code != self.expected);
        codes.iter().map(|c| c.name()).collect()
    }

    /// The reason that belongs to the attack, in words.
    fn reason(&self) -> &str {
        let own = self.violations.iter().find(|v| v.code == self.expected);
        own.map_or("no reason given", |v| v.detail.as_str())
    }

    /// Refused, with the code that belongs to it, and without a signature.
    fn refused(&self) -> bool {
        self.signatures == 0 && self.violations.iter().any(|v| v.code == self.expected)
    }
}

/// What a full quorum could still take.
pub struct Possible {
    pub needs: Vec<&'static str>,
    pub max_sat: u64,
    pub within: &'static str,
}

/// Everything that the drill found.
pub struct Outcome {
    pub network: &'static str,
    pub valid_signatures: usize,
    pub lost_sat: u64,
    pub honest: Vec<Honest>,
    pub attacks: Vec<Attack>,
    pub theft: theft::Judged,
    pub possible: Vec<Possible>,
    pub vault_id: String,
    pub receipt: Option<String>,
    /// The one attack that was asked for; none means all of them.
    pub only: Option<String>,
}

/// Codes that the real transaction must break.
const THEFT_CODES: &[Code] = &[
    Code::OutputNotApproved,
    Code::DestinationNotAllowlisted,
    Code::Lookalike,
    Code::ShareOfVault,
    Code::FeeLimit,
    Code::QuorumNotMet,
    Code::NewAddressLimit,
    Code::CosignerBypass,
];

/// Attacks that must have been tried.
const ATTACKS: &[&str] =
    &["A01", "A18", "D02", "A03", "D04", "D21", "D06", "A05", "D20", "S18", "D01", "D05", "L02"];

impl Outcome {
    fn theft_refused(&self) -> bool {
        THEFT_CODES.iter().all(|code| self.theft.violations.iter().any(|v| v.code == *code))
    }

    fn ok(&self) -> bool {
        let wanted = |id: &str| self.only.as_deref().is_none_or(|only| only == id);
        let tried = |id: &&str| !wanted(id) || self.attacks.iter().any(|a| a.id == *id);
        self.valid_signatures == 18
            && self.lost_sat == theft::LOST_SAT
            && self.honest.len() >= 4
            && self.honest.iter().all(|h| h.ok)
            && ATTACKS.iter().all(tried)
            && !self.attacks.is_empty()
            && self.attacks.iter().all(Attack::refused)
            && self.theft_refused()
    }

    /// What the thief got from the vault: nothing, unless something was signed.
    fn taken_sat(&self) -> u64 {
        if self.attacks.iter().all(|a| a.signatures == 0) { 0 } else { theft::VAULT_SAT }
    }

    fn json(&self) -> Value {
        let mut codes: Vec<Code> = self.theft.violations.iter().map(|v| v.code).collect();
        codes.sort_unstable();
        codes.dedup();
        json!({
            "scenario": "dmm-2024",
            "without": {"lost_sat": self.lost_sat, "signatures_valid": self.valid_signatures},
            "honest": self.honest.iter()
                .map(|h| json!({"id": h.id, "title": h.title, "ok": h.ok, "seconds": h.secs}))
                .collect::<Vec<_>>(),
            "attacks": self.attacks.iter().map(|a| json!({
                "id": a.id, "title": a.title, "attacker_holds": a.holds, "expected": a.expected.name(),
                "codes": a.codes(), "refused": a.refused(), "signatures": a.signatures,
                "refusal": a.refusal,
            })).collect::<Vec<_>>(),
            "theft": {
                "txid": theft::TXID, "codes": codes.iter().map(|c| c.name()).collect::<Vec<_>>(),
                "refused": self.theft_refused(),
                "violations": self.theft.violations.iter().map(show::violation).collect::<Vec<_>>(),
            },
            "still_possible": self.possible.iter()
                .map(|p| json!({"needs": p.needs, "max_sat": p.max_sat, "within": p.within}))
                .collect::<Vec<_>>(),
            "ok": self.ok(),
        })
    }
}

/// Says a line of the story; programs get one document at the end instead.
fn tell(cx: Context, text: &str) {
    if !cx.json {
        show::out(text);
    }
}

pub fn run(cx: Context, args: &Args) -> Done {
    if args.scenario != "dmm-2024" {
        let detail = format!("`{}` is not known; there is dmm-2024", args.scenario);
        return Err(Fail::malformed("--scenario", "", detail));
    }
    if let Some(only) = &args.attack
        && !attacks::ids().any(|id| id == only)
    {
        let detail = format!(
            "not in this drill; there are {}",
            attacks::ids().collect::<Vec<_>>().join(" ")
        );
        return Err(Fail::malformed("--attack", only, detail));
    }
    // Said before the work, not after.
    if args.out.as_ref().is_some_and(|out| out.join("report.html").exists()) && !cx.force.0 {
        return Err(Fail::failed("the directory of --out holds a report; --force replaces it"));
    }
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out)
            .map_err(|e| Fail::failed(format!("{}: {e}", out.display())))?;
    }
    tell(
        cx,
        "COUNTERSIGN DRILL dmm-2024 — all keys are test keys, no coin is real, nothing leaves this machine\n",
    );
    let theft = theft::Theft::load()?;
    tell(cx, "1. WITHOUT  a wallet of 2 of 3 keys, as DMM Bitcoin had it on 31 May 2024");
    let valid_signatures = theft.valid_signatures()?;
    let lost_sat = theft.replay()?;
    tell(
        cx,
        &format!(
            "   The thieves' transaction, byte for byte: 9 coins, each signed with 2 of the wallet's 3 keys;\n   \
         {valid_signatures} of 18 signatures verify. The ledger accepts it: {} gone, in one transaction.\n   \
         Its own signers signed an address that only looked like the usual one:\n     usual    {}\n     thieves' {}\n",
            show::btc(bitcoin::Amount::from_sat(lost_sat)),
            theft::USUAL,
            theft::THIEF
        ),
    );
    let mut world = world::World::start(args.node.as_deref())?;
    tell(
        cx,
        "2. HONEST  the same script with a cosigner built in: a small program with a key that every payment\n   \
         needs, which signs only what people approved. It keeps a log that 4 outside witnesses hold it to. All run as processes of their own.",
    );
    let (honest, receipt) = honest::day(&mut world, |step| {
        let state = if step.ok { "ok" } else { "FAILED" };
        tell(cx, &format!("   {state:<6} {:<74} {:>6.2} s", step.title, step.secs));
    })?;
    tell(
        cx,
        "\n3. THE THIEF HOLDS MORE AND MORE  each + adds to the ones above; \"signatures\" are the cosigner's",
    );
    let mut last = "";
    let attacks = attacks::all(&mut world, args.attack.as_deref(), |attack| {
        let newest = attack.holds.last().copied().unwrap_or_default();
        if newest != last {
            tell(cx, &format!("   + {newest}"));
            last = newest;
        }
        let state = if attack.refused() { "refused" } else { "NOT REFUSED" };
        tell(
            cx,
            &format!(
                "     {} {:<62} {state}, {} signatures\n         {} {}{}",
                attack.id,
                attack.title,
                attack.signatures,
                attack.expected.name(),
                show::clean(attack.reason()),
                match attack.codes().get(1..).unwrap_or_default() {
                    [] => String::new(),
                    more => format!("\n         also {}", more.join(" ")),
                }
            ),
        );
    })?;
    let mut judged = theft.judge()?;
    judged.most_telling_first();
    tell(
        cx,
        &format!(
            "\n4. THE REAL TRANSACTION  {}… put to the same rules, DMM's wallet registered as it was",
            theft::TXID.get(..8).unwrap_or_default()
        ),
    );
    for violation in &judged.violations {
        tell(cx, &format!("   {:<27} {}", violation.code.name(), violation.detail));
    }
    tell(
        cx,
        "   The usual address is reported by one source (BitJungle); what was asked for is an assumption.\n",
    );
    let possible = still_possible();
    tell(cx, "5. STILL POSSIBLE  what this does not stop");
    for item in &possible {
        let amount = show::btc(bitcoin::Amount::from_sat(item.max_sat));
        tell(cx, &format!("   {}: {amount} {}", item.needs.join(" + "), item.within));
    }
    let outcome = Outcome {
        network: world.network().name(),
        valid_signatures,
        lost_sat,
        honest,
        attacks,
        theft: judged,
        possible,
        vault_id: world.vault_id(),
        receipt: args.out.as_ref().map(|out| out.join("receipt.json").display().to_string()),
        only: args.attack.clone(),
    };
    if let Some(out) = &args.out {
        let force = cx.force;
        crate::files::write(
            &out.join("report.html"),
            page::render(&outcome).as_bytes(),
            force,
            false,
        )?;
        crate::files::write(
            &out.join("report.json"),
            &crate::files::pretty(&outcome.json())?,
            force,
            false,
        )?;
        if let Some(receipt) = &receipt {
            crate::files::write(&out.join("receipt.json"), receipt, force, false)?;
        }
        tell(cx, &format!("\nreport: {}", out.join("report.html").display()));
    }
    close(cx, &outcome)
}

fn close(cx: Context, outcome: &Outcome) -> Done {
    let mean = outcome.honest.iter().map(|h| h.secs).fold(0.0, f64::max);
    let verify = match &outcome.receipt {
        Some(path) => {
            let exe = std::env::args().next().unwrap_or_else(|| "countersign".to_owned());
            format!("check it: {exe} verify {path} --vault-id {}", outcome.vault_id)
        }
        None => "run with --out DIR for a receipt and the command that verifies it".to_owned(),
    };
    tell(
        cx,
        &format!(
            "\n6. lost without: {}; with Countersign: {}; the longest honest step took {mean:.2} s of machine time; {verify}",
            show::btc(bitcoin::Amount::from_sat(outcome.lost_sat)),
            show::btc(bitcoin::Amount::from_sat(outcome.taken_sat()))
        ),
    );
    if cx.json {
        show::out(&outcome.json().to_string());
    }
    if outcome.ok() {
        return Ok(());
    }
    Err(Fail::failed(
        "the drill FAILED: a code is missing, a step did not pass, or something was signed",
    ))
}

/// Computed from the drill's own policy: what needs no break-in, only enough of the right people.
fn still_possible() -> Vec<Possible> {
    let policy = world::policy();
    let window = policy.limits.window_max.to_sat();
    vec![
        Possible {
            needs: vec![
                "2 approvers in 2 zones with passkeys and review machines",
                "2 holders' keys",
            ],
            max_sat: window,
            within: "in 24 hours, in steps of at most 100 BTC, and only to addresses that are listed already",
        },
        Possible {
            needs: vec!["3 approvers (a governance quorum) with both keys each", "2 holders' keys"],
            max_sat: window,
            within: "a day to an address of theirs, from the third day on (24 h delay, 24 h age), seen by everyone meanwhile",
        },
        Possible {
            needs: vec!["2 recovery keys"],
            max_sat: theft::VAULT_SAT,
            within: "of any coin that was not moved for 26,280 blocks (half a year)",
        },
    ]
}
