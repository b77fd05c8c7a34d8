//! CoinJoin in four protocols, in the shape that their sources give: Samourai's Whirlpool (pools, premix that pays the
//! miner, remix that does not), Wasabi 1 (one base level and doubled ones, change computed by the coordinator),
//! WabiSabi (standard denominations, sorted), JoinMarket (one taker, makers that earn).

use super::economy::{COORDINATOR, Economy, Owner};
use super::truth::{Mix, shown};
use super::wire::{Coin, Kind, Pay};

/// Coins between rounds of Whirlpool, by pool.
#[derive(Debug, Default)]
pub struct Pools {
    premix: [Vec<(Owner, Coin)>; 4],
    postmix: [Vec<(Owner, Coin)>; 4],
}

/// Pool and its fee: samourai `whirlpool-server`.
const POOLS: [(u64, u64); 4] =
    [(100_000, 5_000), (1_000_000, 50_000), (5_000_000, 175_000), (50_000_000, 1_750_000)];

/// The WabiSabi values up to 1,374 bitcoin, from WalletWasabi's `DenominationBuilder`: powers of two and three, twice
/// the powers of three, and 1-2-5 times the powers of ten, from 5,000 satoshi on.
fn wabisabi_values() -> Vec<u64> {
    let max = 137_438_953_472;
    let powers = |base: u64| {
        std::iter::successors(Some(1_u64), move |n| n.checked_mul(base))
            .take_while(move |n| *n <= max)
    };
    let mut values: Vec<u64> = powers(2)
        .chain(powers(3))
        .chain(powers(3).map(|n| 2 * n))
        .chain(powers(10))
        .chain(powers(10).map(|n| 2 * n))
        .chain(powers(10).map(|n| 5 * n))
        .filter(|n| (5_000..=max).contains(n))
        .collect();
    values.sort_unstable_by(|a, b| b.cmp(a));
    values.dedup();
    values
}

/// One who mixes: who, with which coins.
struct Guest {
    owner: Owner,
    coins: Vec<Coin>,
    sum: u64,
}

impl Economy {
    /// A mix of any sort, or what prepares one.
    pub(super) fn mix(&mut self, left: u64) {
        match self.rng.below(10) {
            0..3 => self.tx0(),
            3..6 => self.whirlpool(),
            6 => self.wasabi1(),
            7 => self.joinmarket(),
            _ if left > 0 => drop(self.wasabi2(None)),
            _ => {}
        }
    }

    fn record(&mut self, txid: [u8; 32], class: &'static str, participants: usize) {
        let mix = Mix { txid: shown(&txid), class, participants: participants as u32 };
        let result = self.truth.mix(&mix);
        if self.failed.is_ok() {
            self.failed = result;
        }
    }

    /// Native-segwit users with coins for `want`, each once; coins on taproot only where the protocol takes them.
    fn guests(&mut self, many: usize, want: u64, most: usize, taproot: bool) -> Vec<Guest> {
        let mut guests: Vec<Guest> = Vec::new();
        for _ in 0..many * 30 {
            if guests.len() == many {
                break;
            }
            let owner = self.user();
            if self.wallets[owner as usize].kind != Kind::P2wpkh
                || guests.iter().any(|g| g.owner == owner)
            {
                continue;
            }
            let many_coins = 1 + self.rng.index(most);
            if let Some(coins) = self.take(owner, want, many_coins) {
                if !taproot && coins.iter().any(|c| c.address.kind != Kind::P2wpkh) {
                    self.wallets[owner as usize].coins.extend(coins);
                    continue;
                }
                let sum = coins.iter().map(|c| c.value).sum();
                guests.push(Guest { owner, coins, sum });
            }
        }
        guests
    }

    fn give_back(&mut self, guests: Vec<Guest>) {
        for guest in guests {
            self.wallets[guest.owner as usize].coins.extend(guest.coins);
        }
    }

    fn to(&mut self, owner: Owner, value: u64) -> (Owner, Pay) {
        let address = self.new_address(owner, Kind::P2wpkh);
        (owner, Pay::To(address, value))
    }

    /// A user's coin is cut into premix coins.
    fn tx0(&mut self) {
        let pool = self.rng.index(4);
        let (size, fee) = POOLS[pool];
        let each = size + self.rng.range(300, 3_000);
        let mut guests = self.guests(1, each * 2 + fee + 20_000, 2, true);
        let Some(guest) = guests.pop() else { return };
        let count = ((guest.sum - fee - 20_000) / each).min(12);
        let miner = self.fee(guest.coins.len(), count as usize + 3).min(15_000);
        let change = guest.sum - count * each - fee - miner;
        let mut pays = Vec::new();
        let data = (0..80).map(|_| self.rng.below(256) as u8).collect();
        pays.push((guest.owner, Pay::Data(data)));
        pays.push(self.to(COORDINATOR, fee));
        if change > 1_000 {
            pays.push(self.to(guest.owner, change));
        }
        let first = pays.len();
        for _ in 0..count {
            pays.push(self.to(guest.owner, each));
        }
        let txid = self.spend(guest.owner, &guest.coins, &pays);
        // Premix coins wait for a round.
        let held = &mut self.wallets[guest.owner as usize].coins;
        let premix: Vec<Coin> =
            held.iter().filter(|c| c.txid == txid && c.vout as usize >= first).copied().collect();
        held.retain(|c| c.txid != txid || (c.vout as usize) < first);
        self.pools.premix[pool].extend(premix.into_iter().map(|c| (guest.owner, c)));
    }

    /// Five coins, five owners, five equal outputs: two or more fresh ones pay the miner.
    fn whirlpool(&mut self) {
        let pool = self.rng.index(4);
        let size = POOLS[pool].0;
        let fresh = 2 + self.rng.index(2);
        let mut coins: Vec<(Owner, Coin)> = Vec::new();
        for (want, old) in [(5 - fresh, true), (5, false)] {
            let list =
                if old { &mut self.pools.postmix[pool] } else { &mut self.pools.premix[pool] };
            for _ in 0..list.len().min(20) {
                if coins.len() == want {
                    break;
                }
                let at = self.rng.index(list.len());
                if coins.iter().all(|(o, c)| *o != list[at].0 && c.txid != list[at].1.txid) {
                    coins.push(list.swap_remove(at));
                }
            }
        }
        let premixed = coins.iter().filter(|(_, c)| c.value > size).count();
        if coins.len() < 5 || premixed == 0 {
            for (owner, coin) in coins {
                let list = if coin.value > size {
                    &mut self.pools.premix
                } else {
                    &mut self.pools.postmix
                };
                list[pool].push((owner, coin));
            }
            return;
        }
        let owners: Vec<Owner> = coins.iter().map(|(owner, _)| *owner).collect();
        let mut inputs: Vec<Coin> = coins.into_iter().map(|(_, coin)| coin).collect();
        inputs.sort_by_key(|c| (c.txid.iter().rev().copied().collect::<Vec<_>>(), c.vout));
        let mut pays: Vec<(Owner, Pay)> =
            owners.iter().map(|owner| self.to(*owner, size)).collect();
        sort_by_script(&mut pays, self.seed);
        let txid = self.spend(COORDINATOR, &inputs, &pays);
        self.record(txid, "whirlpool", 5);
        for owner in owners {
            let held = &mut self.wallets[owner as usize].coins;
            let Some(at) = held.iter().rposition(|c| c.txid == txid) else { continue };
            // Most are mixed again; some are taken out and spent.
            if !self.rng.one_in(4) {
                let coin = held.swap_remove(at);
                self.pools.postmix[pool].push((owner, coin));
            }
        }
    }

    /// One base level for all, doubled levels for the rich, change as the coordinator computes it.
    fn wasabi1(&mut self) {
        let many = 10 + self.rng.index(40);
        let least = 10_000_000 + self.rng.below(900_000);
        let guests = self.guests(many, least, 3, false);
        if guests.len() < 10 {
            return self.give_back(guests);
        }
        let (fee_in, fee_out) = (self.rng.range(500, 4_000), self.rng.range(300, 2_000));
        let spendable = |g: &Guest| g.sum - g.coins.len() as u64 * fee_in - 2 * fee_out;
        let poorest = guests.iter().map(spendable).min().unwrap_or(0);
        let base = poorest.min(least - 10_007) - poorest % 7;
        let coordinator_fee = base / 333;
        // Level after level, as long as two at least can afford it.
        let mut rests: Vec<u64> =
            guests.iter().map(|g| spendable(g).saturating_sub(base + coordinator_fee)).collect();
        let mut pays = Vec::new();
        for guest in &guests {
            pays.push(self.to(guest.owner, base));
        }
        for level in 1..8 {
            let value = base << level;
            let able: Vec<usize> =
                (0..guests.len()).filter(|g| rests[*g] > value + 10_000).collect();
            if able.len() < 2 {
                break;
            }
            for at in able {
                rests[at] -= value;
                pays.push(self.to(guests[at].owner, value));
            }
        }
        for (guest, rest) in guests.iter().zip(rests) {
            if rest > 5_000 {
                pays.push(self.to(guest.owner, rest));
            }
        }
        let collected = coordinator_fee
            * guests.iter().filter(|g| spendable(g) >= base + coordinator_fee).count() as u64;
        pays.push(self.to(COORDINATOR, collected));
        let mut inputs: Vec<Coin> = guests.iter().flat_map(|g| g.coins.iter().copied()).collect();
        let sum_out: u64 = pays.iter().map(|(_, p)| value(p)).sum();
        if sum_out > inputs.iter().map(|c| c.value).sum() {
            return self.give_back(guests);
        }
        inputs.sort_by_key(|c| c.value);
        pays.sort_by_key(|(_, p)| value(p));
        let txid = self.spend(COORDINATOR, &inputs, &pays);
        self.record(txid, "wasabi1", guests.len());
    }

    /// Everybody's coins become standard values; `extra` brings more (the thief does).
    pub(super) fn wasabi2(&mut self, extra: Option<(Owner, Vec<Coin>)>) -> Option<[u8; 32]> {
        let many = 12 + self.rng.index(40);
        let mut guests = self.guests(many, 200_000, 4, true);
        if guests.len() < 8 {
            self.give_back(guests);
            if let Some((owner, coins)) = extra {
                self.wallets[owner as usize].coins.extend(coins);
            }
            return None;
        }
        if let Some((owner, coins)) = extra {
            let sum = coins.iter().map(|c| c.value).sum();
            guests.push(Guest { owner, coins, sum });
        }
        let values = wabisabi_values();
        let rate = self.rng.range(3, 20);
        let (fee_in, fee_out) = (69 * rate, 31 * rate);
        let mut pays = Vec::new();
        for guest in &guests {
            let mut rest = guest.sum.saturating_sub(guest.coins.len() as u64 * fee_in);
            let mut count = 0;
            while count < 9 && rest > 5_000 + fee_out {
                // Of the values that fit, one of the largest three: wallets choose among several splits.
                let first = values.iter().position(|v| v + fee_out <= rest);
                let Some(first) = first else { break };
                let step = if count < 4 { self.rng.index(3) } else { 0 };
                let v = values[(first + step).min(values.len() - 1)];
                let kind = if self.rng.one_in(2) { Kind::P2wpkh } else { Kind::P2tr };
                let address = self.new_address(guest.owner, kind);
                pays.push((guest.owner, Pay::To(address, v)));
                rest -= v + fee_out;
                count += 1;
            }
            if rest > 5_000 + fee_out {
                let pay = self.to(guest.owner, rest - fee_out);
                pays.push(pay);
            }
        }
        let mut inputs: Vec<Coin> = guests.iter().flat_map(|g| g.coins.iter().copied()).collect();
        inputs.sort_by_key(|c| std::cmp::Reverse(c.value));
        pays.sort_by_key(|(_, p)| std::cmp::Reverse(value(p)));
        let txid = self.spend(COORDINATOR, &inputs, &pays);
        self.record(txid, "wasabi2", guests.len());
        Some(txid)
    }

    /// A taker pays makers for a mix of an amount that it chooses.
    fn joinmarket(&mut self) {
        let makers = 3 + self.rng.index(6);
        let amount = self.rng.amount(1_000_000, 40_000_000) / 13 * 13 + 7;
        let guests = self.guests(makers + 1, amount + 200_000, 3, false);
        if guests.len() < 4 {
            return self.give_back(guests);
        }
        let mut pays = Vec::new();
        let mut owed = self.fee(guests.len() * 2, guests.len() * 2).min(100_000);
        for (nth, guest) in guests.iter().enumerate() {
            pays.push(self.to(guest.owner, amount));
            let change = if nth == 0 {
                continue; // the taker's comes last, when it knows what it owes
            } else {
                let earns = 100 + self.rng.below(amount / 20_000 + 1);
                owed += earns;
                guest.sum - amount + earns
            };
            pays.push(self.to(guest.owner, change));
        }
        let taker = &guests[0];
        let (taker_owner, rest) = (taker.owner, taker.sum - amount - owed);
        if rest > 2_730 {
            pays.push(self.to(taker_owner, rest));
        }
        let mut inputs: Vec<Coin> = guests.iter().flat_map(|g| g.coins.iter().copied()).collect();
        for at in (1..inputs.len()).rev() {
            inputs.swap(at, self.rng.index(at + 1));
        }
        for at in (1..pays.len()).rev() {
            pays.swap(at, self.rng.index(at + 1));
        }
        let txid = self.spend(taker_owner, &inputs, &pays);
        self.record(txid, "joinmarket", guests.len());
    }
}

fn value(pay: &Pay) -> u64 {
    match pay {
        Pay::To(_, value) => *value,
        Pay::Data(_) => 0,
    }
}

/// BIP 69: equal values by script.
fn sort_by_script(pays: &mut [(Owner, Pay)], seed: u64) {
    pays.sort_by_key(|(_, pay)| {
        let mut script = Vec::new();
        if let Pay::To(address, _) = pay {
            address.script(seed, &mut script);
        }
        (value(pay), script)
    });
}
