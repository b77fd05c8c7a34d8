//! `OUTPUT_NOT_APPROVED`, `OUTPUT_AMOUNT_MISMATCH`, `OUTPUT_MISSING`: intent and transaction, output by
//! output, as pairs of script and amount. Amounts to one script are never summed.

use bitcoin::{Amount, Script};

use crate::code::{Code, Violation};
use crate::spend::OutputKind;
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let network = case.state.vault().genesis.network;
    let mut asked: Vec<(&Script, Amount)> =
        case.intent.outputs().iter().map(|p| (p.script.as_script(), p.amount)).collect();
    let mut paid: Vec<(&Script, Amount)> = Vec::new();
    let mut change: Vec<(&Script, Amount)> = Vec::new();
    for output in &case.spend.outputs {
        let pair = (output.script.as_script(), output.amount);
        let list = if output.kind == OutputKind::Payment { &mut paid } else { &mut change };
        list.push(pair);
    }
    remove_equal(&mut asked, &mut paid);
    // An intent may pay an address of the vault itself.
    remove_equal(&mut asked, &mut change);
    asked.retain(|(script, amount)| {
        let Some(at) = paid.iter().position(|(s, _)| s == script) else { return true };
        let (_, actual) = paid.swap_remove(at);
        let detail = format!("{} is paid another amount", network.show(script));
        let violation = Violation::new(Code::OutputAmountMismatch, detail);
        out.push(violation.with("address", network.show(script)).limit(*amount, actual));
        false
    });
    for (script, amount) in paid {
        let shown = network.show(script);
        let detail = format!("{shown} is paid {amount}, which nobody asked for");
        let violation = Violation::new(Code::OutputNotApproved, detail);
        out.push(violation.with("address", shown).limit(0, amount));
    }
    for (script, amount) in asked {
        let shown = network.show(script);
        let detail = format!("{amount} to {shown} was asked for and is not paid");
        let violation = Violation::new(Code::OutputMissing, detail);
        out.push(violation.with("address", shown).limit(amount, 0));
    }
}

/// Takes equal pairs out of both lists, as often as they are in both.
fn remove_equal<'a>(one: &mut Vec<(&'a Script, Amount)>, other: &mut Vec<(&'a Script, Amount)>) {
    one.sort_unstable();
    other.sort_unstable();
    let (mut kept_one, mut kept_other) = (Vec::new(), Vec::new());
    let (mut a, mut b) = (one.iter().peekable(), other.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x == y => {
                a.next();
                b.next();
            }
            (Some(x), Some(y)) if x < y => kept_one.extend(a.next().copied()),
            (Some(_), Some(_)) | (None, Some(_)) => kept_other.extend(b.next().copied()),
            (Some(_), None) => kept_one.extend(a.next().copied()),
            (None, None) => break,
        }
    }
    *one = kept_one;
    *other = kept_other;
}
