//! `INPUT_STATE`: an outpoint belongs to one intent, for ever once it is signed.

use crate::code::{Code, Violation};
use crate::intent::Kind;
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let coins: Vec<_> = case.spend.inputs.iter().map(|i| i.outpoint).collect();
    let ledger = case.state.ledger();
    for coin in &coins {
        let Some(owner) = ledger.owner(coin).filter(|owner| **owner != case.intent_digest) else {
            continue;
        };
        // A refresh that spends all coins of an intent is how a quorum gives it up.
        if case.intent.kind() == Kind::Refresh && ledger.covers(owner, &coins) {
            continue;
        }
        let detail = format!("coin {coin} belongs to intent {owner}");
        out.push(Violation::new(Code::InputState, detail).with("intent", owner.to_string()));
    }
}
