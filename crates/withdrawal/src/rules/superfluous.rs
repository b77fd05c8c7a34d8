//! `SUPERFLUOUS_INPUT`: a coin that could be left out has no business in a payment.

use bitcoin::Amount;

use crate::code::{Code, Violation};
use crate::intent::Kind;
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    if case.intent.kind() != Kind::Pay {
        return;
    }
    // A replacement must spend the coins of the versions before; those are not its choice.
    let bound = case.record.map(crate::state::IntentRecord::outpoints).unwrap_or_default();
    let needed = case.paid() + case.spend.fee;
    let total = case.spend.total_in();
    for (index, coin) in case.spend.inputs.iter().enumerate() {
        let left = total.checked_sub(coin.amount).unwrap_or(Amount::ZERO);
        if !bound.contains(&coin.outpoint) && left >= needed {
            let detail = format!("input {index} ({}) could be left out", coin.amount);
            out.push(Violation::new(Code::SuperfluousInput, detail).limit(needed, total));
        }
    }
}
