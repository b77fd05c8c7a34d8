//! `LOOKALIKE`: an address that is not known but improbably like one that is.

use crate::code::{Code, Violation};
use crate::lookalike::most_alike;
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let network = case.state.vault().genesis.network;
    let listed = case.state.allowlist();
    let known = || {
        let asserted = case.facts.known_scripts.iter();
        listed.keys().chain(asserted).map(bitcoin::ScriptBuf::as_script)
    };
    let strangers: Vec<_> =
        case.spend.payments().filter(|p| !known().any(|k| *k == *p.script)).collect();
    let comparisons = (known().count() as u64).saturating_mul(strangers.len() as u64);
    for payment in strangers {
        let min_bits = case.policy.lookalike_min_bits;
        let alike = most_alike(network, &payment.script, known(), comparisons, min_bits);
        if let Some((address, other, likeness)) = alike {
            let detail = format!(
                "{address} looks like the known {other}: {} characters at the front (after what all such addresses begin with) and {} at the end",
                likeness.first, likeness.last
            );
            let violation = Violation::new(Code::Lookalike, detail);
            out.push(
                violation
                    .with("address", address)
                    .with("known", other)
                    .with("first", likeness.first as u64)
                    .with("last", likeness.last as u64)
                    .limit(u64::from(min_bits), u64::from(likeness.bits)),
            );
        }
    }
}
