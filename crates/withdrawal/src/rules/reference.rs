//! `DUPLICATE_REFERENCE`: a payment reference is used once in a vault's life.

use crate::code::{Code, Violation};
use crate::entry::salted;
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let salt = &case.state.vault().genesis.salt;
    for payment in case.intent.outputs() {
        let user = case.state.ledger().reference(&salted(salt, payment.reference.as_bytes()));
        if let Some(user) = user.filter(|user| **user != case.intent_digest) {
            let detail = format!("reference `{}` was used by intent {user}", payment.reference);
            let violation = Violation::new(Code::DuplicateReference, detail);
            out.push(violation.with("reference", payment.reference.clone()));
        }
    }
}
