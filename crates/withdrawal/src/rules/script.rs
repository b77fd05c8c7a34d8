//! `COSIGNER_BYPASS`, `COIN_TOO_OLD`: what can be spent without us, now or because a coin grew old.

use crate::code::{Code, Violation};
use crate::intent::Kind;
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let vault = case.state.vault();
    if let Some(why) = &vault.bypass {
        out.push(Violation::new(Code::CosignerBypass, why.clone()));
    }
    let older = vault.paths.as_ref().and_then(|p| p.older_blocks);
    // A refresh is the way to make them young again.
    let Some(older) = older.filter(|_| case.intent.kind() != Kind::Refresh) else { return };
    for coin in &case.spend.inputs {
        let age =
            case.facts.coin_age_blocks.iter().find(|(outpoint, _)| *outpoint == coin.outpoint);
        if let Some((_, age)) = age.filter(|(_, age)| *age >= older) {
            let detail = format!(
                "coin {} is {age} blocks old, recovery keys spend from {older}",
                coin.outpoint
            );
            out.push(
                Violation::new(Code::CoinTooOld, detail).limit(u64::from(older), u64::from(*age)),
            );
        }
    }
}
