//! Facts from outside, as somebody asserts them: they make a verdict stricter, never milder, wherever
//! something is signed. In an offline check they stand for what only the cosigner can know.

use std::collections::BTreeMap;

use bitcoin::{Amount, OutPoint, ScriptBuf};

use crate::wire::wire_struct;

/// What is asserted; what is not asserted is unknown, never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Paid in the window before this.
    pub spent_in_window: Option<Amount>,
    /// Transactions in the window before this.
    pub count_in_window: Option<u64>,
    /// Change of our own that is not spent.
    pub unspent_change: Option<Amount>,
    /// Quorum-signed floor of the balance.
    pub balance_floor: Option<Amount>,
    /// Scripts that are not new.
    pub known_scripts: Vec<ScriptBuf>,
    /// Risk of destinations, by address; anything but `low` refuses.
    pub destination_risk: BTreeMap<String, String>,
    /// Confirmations of coins.
    pub coin_age_blocks: Vec<(OutPoint, u32)>,
}

/// The part of the facts that a release carries: it can only make the cosigner stricter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssertedAges {
    /// Confirmations of coins.
    pub coin_age_blocks: Vec<(OutPoint, u32)>,
}
wire_struct!(AssertedAges { coin_age_blocks });
