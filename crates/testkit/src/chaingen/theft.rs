//! One theft, shaped like DMM's of 31 May 2024: nine coins of one wallet in one transaction to one fresh address, ten
//! next hops, then mixing, bridges and a service. What really happened is written down as it happens.

use super::economy::{BRIDGE, Economy, Owner, THIEF, VICTIM};
use super::truth::{Truth, shown};
use super::wire::{Coin, Kind, Pay};

/// What a hop does with its share.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Peels off to a service's deposit addresses.
    Peel,
    /// Goes into WabiSabi rounds.
    Mix,
    /// Goes to the bridge's vault, with a memo.
    Bridge,
    /// Goes to an exchange's known address.
    Exchange,
    /// Lies still.
    Rest,
}

const WAYS: [Way; 10] = [
    Way::Peel,
    Way::Peel,
    Way::Mix,
    Way::Bridge,
    Way::Peel,
    Way::Mix,
    Way::Bridge,
    Way::Exchange,
    Way::Rest,
    Way::Peel,
];

/// The theft as far as it went.
pub struct Theft {
    at: u32,
    done: bool,
    /// Coins on their way.
    hops: Vec<(Way, Coin)>,
}

impl Theft {
    /// To begin at two fifths of the chain.
    pub fn new(blocks: u32) -> Self {
        Self { at: blocks * 2 / 5, done: false, hops: Vec::new() }
    }

    /// What the thief does in a block that has room for `room` transactions.
    pub fn step(&mut self, world: &mut Economy, height: u32, room: u64) {
        if height < self.at || room < 4 {
            return;
        }
        if !self.done {
            self.done = true;
            return self.steal(world);
        }
        // One hop a block: it takes its time, as they do.
        if let Some((way, coin)) = (!self.hops.is_empty()).then(|| self.hops.remove(0)) {
            self.go(world, way, coin);
        }
    }

    fn steal(&mut self, world: &mut Economy) {
        let all = &mut world.wallets[VICTIM as usize].coins;
        let mut coins: Vec<Coin> = std::mem::take(all);
        coins.truncate(9);
        if coins.is_empty() {
            return;
        }
        let sum: u64 = coins.iter().map(|c| c.value).sum();
        let fee = 10_000_000.min(sum / 100);
        let to = world.new_address(THIEF, Kind::P2pkh);
        let txid = world.spend(VICTIM, &coins, &[(THIEF, Pay::To(to, sum - fee))]);
        world.truth.theft.txid = shown(&txid);
        world.truth.theft.stolen_sat = sum - fee;
        let Some(coin) = take_coin(world, THIEF, txid) else { return };
        // Ten next hops, in unequal round shares.
        let share = coin.value / 10 / 1_000_000 * 1_000_000;
        let mut pays = Vec::new();
        let mut rest = coin.value - 50_000;
        for nth in 0..10 {
            let amount = if nth == 9 { rest } else { share };
            rest -= amount;
            let to = world.new_address(THIEF, Kind::P2wpkh);
            pays.push((THIEF, Pay::To(to, amount)));
        }
        world.truth.theft.fees_sat += 50_000;
        let txid = world.spend(THIEF, &[coin], &pays);
        for way in WAYS {
            if let Some(coin) = take_coin(world, THIEF, txid) {
                self.hops.push((way, coin));
            }
        }
    }

    fn go(&mut self, world: &mut Economy, way: Way, coin: Coin) {
        match way {
            Way::Rest => world
                .truth
                .theft
                .unspent
                .push((format!("{}:{}", shown(&coin.txid), coin.vout), coin.value)),
            Way::Exchange => {
                let to = world.hot(3);
                self.deliver(world, coin, 3, to, "exchange-3");
            }
            Way::Bridge => self.bridge(world, coin),
            Way::Mix => self.mix(world, coin),
            Way::Peel => self.peel(world, coin),
        }
    }

    fn deliver(
        &mut self,
        world: &mut Economy,
        coin: Coin,
        owner: Owner,
        to: super::wire::Address,
        label: &str,
    ) {
        let fee = 4_000.min(coin.value / 10);
        let txid = world.spend(THIEF, &[coin], &[(owner, Pay::To(to, coin.value - fee))]);
        let outpoint = format!("{}:0", shown(&txid));
        world.truth.theft.fees_sat += fee;
        world.truth.theft.delivered.push((label.to_owned(), outpoint, coin.value - fee));
    }

    /// Vault first, then the memo, then nothing: all of it goes over.
    fn bridge(&mut self, world: &mut Economy, coin: Coin) {
        let memo = "=:e:0x00000000000000000000000000000000deadbeef:0/1/0".to_owned();
        let fee = 5_000;
        let vault = world.hot(BRIDGE);
        let pays = [
            (BRIDGE, Pay::To(vault, coin.value - fee)),
            (THIEF, Pay::Data(memo.clone().into_bytes())),
        ];
        let txid = world.spend(THIEF, &[coin], &pays);
        let outpoint = format!("{}:0", shown(&txid));
        world.truth.theft.fees_sat += fee;
        world.truth.theft.bridged.push((memo, outpoint, coin.value - fee));
    }

    /// Cut into coins of some bitcoin, which go into rounds with others.
    fn mix(&mut self, world: &mut Economy, coin: Coin) {
        let txid_before = coin.txid;
        let value = coin.value;
        match world.wasabi2(Some((THIEF, vec![coin]))) {
            Some(txid) => {
                world.truth.theft.mixed.push((shown(&txid), value));
                // What comes out is the thief's, and is left where it is: nobody can say which it is.
                world.wallets[THIEF as usize].coins.retain(|c| c.txid != txid);
            }
            None => {
                if let Some(coin) = take_coin(world, THIEF, txid_before) {
                    self.hops.push((Way::Mix, coin)); // too few to mix with: later
                }
            }
        }
    }

    /// Pays a market's known address again and again from what is left, to fresh change each time.
    fn peel(&mut self, world: &mut Economy, mut coin: Coin) {
        let market = world.service(0);
        let to = world.hot(market);
        for _ in 0..6 {
            let fee = 3_000;
            let amount = coin.value / 5 / 10_000 * 10_000;
            let back = world.new_address(THIEF, Kind::P2wpkh);
            let change = coin.value - amount - fee;
            let txid = world.spend(
                THIEF,
                &[coin],
                &[(market, Pay::To(to, amount)), (THIEF, Pay::To(back, change))],
            );
            world.truth.theft.fees_sat += fee;
            let outpoint = format!("{}:0", shown(&txid));
            world.truth.theft.delivered.push(("service-0".to_owned(), outpoint, amount));
            match take_coin(world, THIEF, txid) {
                Some(next) => coin = next,
                None => return,
            }
        }
        self.hops.push((Way::Rest, coin));
    }

    /// What had not yet moved on when the chain ended.
    pub fn close(&mut self, truth: &mut Truth) {
        for (_, coin) in self.hops.drain(..) {
            truth.theft.unspent.push((format!("{}:{}", shown(&coin.txid), coin.vout), coin.value));
        }
    }
}

/// Takes the first coin of a transaction out of its owner's wallet.
fn take_coin(world: &mut Economy, owner: Owner, txid: [u8; 32]) -> Option<Coin> {
    let coins = &mut world.wallets[owner as usize].coins;
    let at = coins.iter().position(|c| c.txid == txid)?;
    Some(coins.remove(at))
}
