//! Hop 4: facts. What is not known is unknown, never zero.

use withdrawal::facts::{AssertedAges, Facts};

use crate::Error;
use crate::coins::Coins;
use crate::dir::VaultDir;

/// Gathers what the vault's own directory knows: coin ages, if coins were synced with heights.
pub fn gather(dir: &VaultDir) -> Result<Facts, Error> {
    let coins = Coins::load(dir)?;
    let ages = coins.coins.iter().filter_map(|coin| {
        let age = coins.tip?.checked_sub(coin.height?)?.saturating_add(1);
        Some((coin.outpoint, age))
    });
    Ok(Facts { coin_age_blocks: ages.collect(), ..Facts::default() })
}

/// The part of them that a release carries.
pub fn ages(facts: &Facts) -> AssertedAges {
    AssertedAges { coin_age_blocks: facts.coin_age_blocks.clone() }
}
