//! `CLOCK_UNTRUSTED`, `EXPIRED`, `NOT_YET_VALID`, `TIME_WINDOW`, `COOLING_OFF`: by the witnesses' time.

use crate::code::{Code, Violation};
use crate::state::Since;
use crate::verdict::{Case, Step};

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let Some(now) = case.state.now() else {
        let detail = "no head with enough witnesses' times was accepted yet";
        out.push(Violation::new(Code::ClockUntrusted, detail));
        return;
    };
    // A transaction that is signed already is given again, even after expiry.
    let signed = case.record.is_some_and(|r| {
        let mut versions = r.versions.iter().filter(|v| v.reservation.spend == case.spend_digest);
        versions.any(|v| matches!(v.state, crate::state::VersionState::Signed(_)))
    });
    if now.high > case.intent.expires() && !signed {
        let detail = format!("the intent ran out at {}", case.intent.expires());
        let violation = Violation::new(Code::Expired, detail);
        out.push(violation.limit(case.intent.expires().to_string(), now.high.to_string()));
    }
    if now.low < case.intent.not_before() {
        let detail = format!("the intent is not valid before {}", case.intent.not_before());
        let violation = Violation::new(Code::NotYetValid, detail);
        out.push(violation.limit(case.intent.not_before().to_string(), now.low.to_string()));
    }
    if !in_window(case, now.low.secs()) || !in_window(case, now.high.secs()) {
        out.push(Violation::new(Code::TimeWindow, format!("{} is outside the hours", now.low)));
    }
    let cooling = u64::from(case.policy.time.cooling_off_hours) * 3600;
    if cooling > 0 && case.step != Step::Reserve && !signed {
        let entry = case.record.and_then(|r| {
            let mut versions = r.versions.iter();
            versions.find(|v| v.reservation.spend == case.spend_digest).map(|v| v.entry)
        });
        let age = entry.map_or(0, |entry| case.state.age_secs(Since::Entry(entry)));
        if age < cooling {
            let detail = format!("reserved {age} s ago, {cooling} s must pass");
            out.push(Violation::new(Code::CoolingOff, detail).limit(cooling, age));
        }
    }
}

fn in_window(case: &Case<'_>, secs: u64) -> bool {
    let windows = &case.policy.time.windows;
    // 1970-01-01 was a Thursday; Monday is 0.
    let weekday = (secs / 86_400 + 3) % 7;
    let minute = secs / 60 % 1440;
    windows.is_empty()
        || windows.iter().any(|w| {
            w.days >> weekday & 1 == 1
                && (u64::from(w.from_minute)..u64::from(w.to_minute)).contains(&minute)
        })
}
