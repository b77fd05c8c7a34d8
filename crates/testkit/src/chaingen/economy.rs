//! People, exchanges, miners and services, and what they do in a block.

use std::io;
use std::path::Path;

use super::Plan;
use super::rng::Rng;
use super::theft::Theft;
use super::truth::Truth;
use super::wire::{Address, Coin, Kind, Pay, Style, coinbase, transaction};

/// Number of an owner.
pub type Owner = u32;

/// One who owns addresses.
#[derive(Debug)]
pub struct Wallet {
    /// Coins that can be spent.
    pub coins: Vec<Coin>,
    /// Shape of its addresses.
    pub kind: Kind,
    /// Its software.
    pub style: Style,
    /// An address that it uses again and again, if it does.
    pub fixed: Option<Address>,
}

const EXCHANGES: u32 = 12;
const SERVICES: u32 = 8;
const POOLS: u32 = 6;
/// Deposit addresses of an exchange.
const DEPOSIT_ADDRESSES: usize = 20_000;
/// Owners before the users: exchanges, services, pools, the victim, the thief, a bridge, a mixing coordinator.
const SPECIAL: u32 = EXCHANGES + SERVICES + POOLS + 4;

/// The exchange that is robbed.
pub const VICTIM: Owner = EXCHANGES + SERVICES + POOLS;
/// The thief.
pub const THIEF: Owner = VICTIM + 1;
/// A bridge's vault.
pub const BRIDGE: Owner = VICTIM + 2;
/// A coordinator of mixes, who takes fees.
pub const COORDINATOR: Owner = VICTIM + 3;

/// Which addresses were paid already: a bit each.
#[derive(Debug, Default)]
struct Seen(Vec<u64>);

impl Seen {
    fn first_time(&mut self, id: u32) -> bool {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let first = self.0[word] & bit == 0;
        self.0[word] |= bit;
        first
    }
}

/// The world.
pub struct Economy {
    pub(super) rng: Rng,
    pub(super) seed: u64,
    pub(super) wallets: Vec<Wallet>,
    pub(super) truth: Truth,
    pub(super) height: u32,
    /// Raw transactions of the block at hand, the coinbase first.
    pub bytes: Vec<u8>,
    /// Their txids.
    pub txids: Vec<[u8; 32]>,
    /// Outputs so far.
    pub outputs: u64,
    /// Inputs so far.
    pub inputs: u64,
    next_address: u32,
    seen: Seen,
    deposits: Vec<Vec<Option<Address>>>,
    pub(super) pools: super::mixes::Pools,
    /// Fees of the block at hand.
    fees: u64,
    blocks: u32,
    pub(super) failed: io::Result<()>,
    theft: Theft,
}

impl Economy {
    /// A world with users for the plan's transactions.
    pub fn new(plan: &Plan) -> io::Result<Self> {
        let mut rng = Rng::new(plan.seed);
        let users = (plan.txs / 25).clamp(400, 1_500_000) as u32;
        let mut wallets = Vec::with_capacity((SPECIAL + users) as usize);
        for owner in 0..SPECIAL + users {
            let kind = match (owner < SPECIAL, rng.below(100)) {
                (true, _) if owner == VICTIM => Kind::P2sh,
                (true, 0..50) | (false, 0..50) => Kind::P2wpkh,
                (true, _) => Kind::P2pkh,
                (_, 50..65) => Kind::P2tr,
                (_, 65..80) => Kind::P2shWpkh,
                (_, 80..96) => Kind::P2pkh,
                _ => Kind::P2wsh,
            };
            let style = Style {
                version: if rng.one_in(3) { 1 } else { 2 },
                locktime: u32::from(rng.one_in(3)),
                sequence: [u32::MAX, 0xffff_fffe, 0xffff_fffd][rng.index(3)],
            };
            wallets.push(Wallet { coins: Vec::new(), kind, style, fixed: None });
        }
        // The coordinator and all who mix are native segwit in this world: the mixes pick by kind.
        wallets[COORDINATOR as usize].kind = Kind::P2wpkh;
        wallets[THIEF as usize].kind = Kind::P2wpkh;
        wallets[BRIDGE as usize].kind = Kind::P2wpkh;
        Ok(Self {
            rng,
            seed: plan.seed,
            wallets,
            truth: Truth::new(&plan.out.join("truth"), plan.seed)?,
            height: 0,
            bytes: Vec::new(),
            txids: Vec::new(),
            outputs: 0,
            inputs: 0,
            next_address: 0,
            seen: Seen::default(),
            deposits: vec![Vec::new(); EXCHANGES as usize],
            pools: super::mixes::Pools::default(),
            fees: 0,
            blocks: plan.blocks,
            failed: Ok(()),
            theft: Theft::new(plan.blocks),
        })
    }

    /// Makes the transactions of a block: `count` of them, the coinbase included.
    pub fn block(&mut self, height: u32, count: u64) {
        self.height = height;
        self.bytes.clear();
        self.txids.clear();
        self.fees = 0;
        // The coinbase pays what is earned in the block before it in this world: fees are known only afterwards.
        self.mine(height, count);
        let mut theft = std::mem::replace(&mut self.theft, Theft::new(self.blocks));
        theft.step(self, height, count - 1);
        self.theft = theft;
        while (self.txids.len() as u64) < count {
            if !self.anything(count - self.txids.len() as u64) {
                break; // a world too poor: a few transactions fewer
            }
        }
    }

    /// New coins: at first to many, so that people have something; then to a pool, which pays its miners.
    fn mine(&mut self, height: u32, count: u64) {
        let early = self.blocks / 20 + 2;
        let mut pays = Vec::new();
        if height == 0 {
            self.first_services(&mut pays);
        }
        if height < early {
            // The victim's nine coins, and float for the exchanges.
            if height < 9.min(early) || early < 9 {
                let to = self.address(VICTIM, true);
                pays.push((VICTIM, Pay::To(to, 50_032_000_000 + self.rng.below(1_000_000))));
            }
            for owner in 0..EXCHANGES {
                let to = self.hot(owner);
                pays.push((owner, Pay::To(to, 2_000_000_000)));
            }
            let users = self.wallets.len() as u64 - u64::from(SPECIAL);
            let share = (users / u64::from(early) + 1).max(3 * count).min(8_000);
            for _ in 0..share {
                let user = self.user();
                let to = self.address(user, false);
                let amount = self.rng.amount(1_000_000, 400_000_000);
                pays.push((user, Pay::To(to, amount)));
            }
        } else {
            let pool = EXCHANGES + SERVICES + height % POOLS;
            let to = self.hot(pool);
            pays.push((pool, Pay::To(to, 625_000_000)));
        }
        let start = self.bytes.len();
        let list: Vec<Pay> = pays.iter().map(|(_, pay)| pay.clone()).collect();
        let txid = coinbase(height, &list, self.seed, &mut self.bytes);
        debug_assert!(self.bytes.len() > start);
        self.txids.push(txid);
        self.credit(txid, &pays);
    }

    /// The services' addresses that the world knows from the first day, each with something on it.
    fn first_services(&mut self, pays: &mut Vec<(Owner, Pay)>) {
        let kinds = ["market", "gambling", "payment", "hosted"];
        let mut known: Vec<(Owner, String, &str)> = Vec::new();
        for nth in 0..SERVICES {
            known.push((
                EXCHANGES + nth,
                format!("service-{nth}"),
                kinds[nth as usize % kinds.len()],
            ));
        }
        for owner in 0..EXCHANGES {
            known.push((owner, format!("exchange-{owner}"), "exchange"));
        }
        known.push((BRIDGE, "synthetic-bridge".to_owned(), "bridge"));
        for (owner, label, kind) in known {
            let to = self.hot(owner);
            self.label(owner, &label, kind);
            pays.push((owner, Pay::To(to, 100_000_000)));
        }
    }

    fn label(&mut self, owner: Owner, label: &str, kind: &str) {
        if let Some(address) = self.wallets[owner as usize].fixed {
            let result = self.truth.label(address, label, kind);
            self.note(result);
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        if self.failed.is_ok() {
            self.failed = result;
        }
    }

    /// Any user.
    pub(super) fn user(&mut self) -> Owner {
        SPECIAL + self.rng.below(self.wallets.len() as u64 - u64::from(SPECIAL)) as u32
    }

    /// Any exchange.
    pub(super) fn exchange(&mut self) -> Owner {
        self.rng.below(u64::from(EXCHANGES)) as u32
    }

    /// A service by number.
    pub(super) fn service(&mut self, nth: u32) -> Owner {
        EXCHANGES + nth % SERVICES
    }

    /// An address of an owner: a fresh one, or now and then one that it had (people do that).
    pub(super) fn address(&mut self, owner: Owner, fresh: bool) -> Address {
        // Most people give out one address again and again, and many get change there too: on the main network an
        // address has nearly three outputs.
        if !owner.is_multiple_of(4) && owner >= SPECIAL && (!fresh || owner % 5 < 3) {
            return self.hot(owner);
        }
        let kind = self.wallets[owner as usize].kind;
        self.new_address(owner, kind)
    }

    pub(super) fn new_address(&mut self, owner: Owner, kind: Kind) -> Address {
        debug_assert!((owner as usize) < self.wallets.len());
        let id = self.next_address;
        self.next_address += 1;
        Address { id, kind }
    }

    /// The address at which an exchange takes a user's deposits.
    fn deposit_address(&mut self, exchange: Owner, user: Owner) -> Address {
        let slot = user as usize % DEPOSIT_ADDRESSES;
        let list = &mut self.deposits[exchange as usize];
        if list.is_empty() {
            list.resize(DEPOSIT_ADDRESSES, None);
        }
        if let Some(address) = list[slot] {
            return address;
        }
        let kind = self.wallets[exchange as usize].kind;
        let address = self.new_address(exchange, kind);
        self.deposits[exchange as usize][slot] = Some(address);
        address
    }

    /// The address that an owner is known by.
    pub(super) fn hot(&mut self, owner: Owner) -> Address {
        if let Some(address) = self.wallets[owner as usize].fixed {
            return address;
        }
        let kind = self.wallets[owner as usize].kind;
        let address = self.new_address(owner, kind);
        self.wallets[owner as usize].fixed = Some(address);
        address
    }

    /// Gives outputs to their owners.
    fn credit(&mut self, txid: [u8; 32], pays: &[(Owner, Pay)]) {
        self.outputs += pays.len() as u64;
        for (vout, (owner, pay)) in pays.iter().enumerate() {
            if let Pay::To(address, value) = pay {
                if self.seen.first_time(address.id) {
                    let result = self.truth.owner(*owner);
                    self.note(result);
                }
                let coin = Coin { txid, vout: vout as u32, value: *value, address: *address };
                self.wallets[*owner as usize].coins.push(coin);
            }
        }
    }

    /// Makes a transaction; what the outputs leave is the fee. Returns its txid.
    pub(super) fn spend(&mut self, by: Owner, inputs: &[Coin], pays: &[(Owner, Pay)]) -> [u8; 32] {
        let sum_in: u64 = inputs.iter().map(|c| c.value).sum();
        let value = |pay: &Pay| match pay {
            Pay::To(_, value) => *value,
            Pay::Data(_) => 0,
        };
        let sum_out: u64 = pays.iter().map(|(_, pay)| value(pay)).sum();
        assert!(sum_in >= sum_out, "height {}: {sum_in} < {sum_out}", self.height);
        self.fees += sum_in - sum_out;
        let style = self.wallets[by as usize].style;
        let style = Style { locktime: style.locktime * self.height, ..style };
        let list: Vec<Pay> = pays.iter().map(|(_, pay)| pay.clone()).collect();
        let txid = transaction(inputs, &list, style, self.seed, &mut self.bytes);
        self.txids.push(txid);
        self.inputs += inputs.len() as u64;
        self.credit(txid, pays);
        txid
    }

    /// Takes coins of an owner worth `want` at least; gives them back if they are not enough.
    pub(super) fn take(&mut self, owner: Owner, want: u64, most: usize) -> Option<Vec<Coin>> {
        let coins = &mut self.wallets[owner as usize].coins;
        let mut taken = Vec::new();
        let mut sum = 0;
        while sum < want && taken.len() < most && !coins.is_empty() {
            let at = self.rng.index(coins.len());
            let coin = coins.swap_remove(at);
            sum += coin.value;
            taken.push(coin);
        }
        if sum < want || taken.is_empty() {
            coins.extend(taken);
            return None;
        }
        Some(taken)
    }

    /// A fee for so many inputs and outputs.
    pub(super) fn fee(&mut self, inputs: usize, outputs: usize) -> u64 {
        let rate = self.rng.range(3, 40);
        (inputs as u64 * 80 + outputs as u64 * 33 + 11) * rate
    }

    /// One transaction, or several that belong together, of any sort; `left` may still be made.
    fn anything(&mut self, left: u64) -> bool {
        let before = self.txids.len();
        match self.rng.below(1000) {
            0..560 => self.pay(),
            560..690 => self.deposit(),
            690..760 => self.sweep(),
            760..785 => self.payout(),
            785..870 => self.consolidate(),
            870..880 => self.peel(left),
            880..930 => self.note_data(),
            930..945 => self.pool_payout(),
            945..953 if self.mixing_may_begin() => self.mix(left),
            _ => self.pay(),
        }
        self.txids.len() > before || self.grow_supply()
    }

    fn mixing_may_begin(&self) -> bool {
        self.height > self.blocks / 6
    }

    /// When somebody can't do what was drawn: an exchange pays a user from its float, else a service does.
    fn grow_supply(&mut self) -> bool {
        for _ in 0..200 {
            let user = self.user();
            if self.pay_from(user) {
                return true;
            }
        }
        // A poor world: the richest coin of a pool or an exchange is split among its owner's customers.
        for owner in 0..SPECIAL - 4 {
            if let Some(coins) = self.take(owner, 100_000, 1) {
                let sum: u64 = coins.iter().map(|c| c.value).sum();
                let to = self.user();
                let address = self.address(to, true);
                self.spend(owner, &coins, &[(to, Pay::To(address, sum - 1_000))]);
                return true;
            }
        }
        false
    }

    fn pay(&mut self) {
        let user = self.user();
        let _ = self.pay_from(user);
    }

    /// One user pays another, or a service; the change goes to a fresh address.
    fn pay_from(&mut self, user: Owner) -> bool {
        let round = [1, 10, 100, 1_000, 100_000][self.rng.index(5)];
        let amount = (self.rng.amount(20_000, 200_000_000) / round).max(20) * round;
        let Some(coins) = self.take(user, amount + 50_000, 4) else { return false };
        let sum: u64 = coins.iter().map(|c| c.value).sum();
        let (to, address) = if self.rng.one_in(8) {
            let nth = self.rng.below(u64::from(SERVICES)) as u32;
            let service = self.service(nth);
            (service, self.hot(service))
        } else {
            let to = self.user();
            (to, self.address(to, false))
        };
        let fee = self.fee(coins.len(), 2).min(40_000);
        let change = sum - amount - fee;
        let mut pays = vec![(to, Pay::To(address, amount))];
        if change > 1_000 {
            let back = self.address(user, true);
            pays.push((user, Pay::To(back, change)));
            if self.rng.one_in(2) {
                pays.swap(0, 1);
            }
        }
        self.spend(user, &coins, &pays);
        true
    }

    /// A user pays in at an exchange: to an address of its own there.
    fn deposit(&mut self) {
        let user = self.user();
        let exchange = self.exchange();
        let Some(coins) = self.take(user, 60_000, 3).and_then(|c| self.more(user, c, 5)) else {
            return;
        };
        let sum: u64 = coins.iter().map(|c| c.value).sum();
        let fee = self.fee(coins.len(), 1).min(40_000);
        // A user's deposit address stays the same: of a thousand that the exchange gave out.
        let address = self.deposit_address(exchange, user);
        self.spend(user, &coins, &[(exchange, Pay::To(address, sum - fee))]);
    }

    /// An exchange gathers deposits on its hot address.
    fn sweep(&mut self) {
        let exchange = self.exchange();
        let many = 5 + self.rng.index(60);
        let Some(coins) =
            self.take(exchange, 1, many).and_then(|first| self.more(exchange, first, many))
        else {
            return;
        };
        let sum: u64 = coins.iter().map(|c| c.value).sum();
        let fee = self.fee(coins.len(), 1).min(sum / 2);
        let hot = self.hot(exchange);
        self.spend(exchange, &coins, &[(exchange, Pay::To(hot, sum - fee))]);
    }

    /// Takes more coins of an owner, up to `many` in all.
    fn more(&mut self, owner: Owner, mut coins: Vec<Coin>, many: usize) -> Option<Vec<Coin>> {
        let held = &mut self.wallets[owner as usize].coins;
        while coins.len() < many {
            let Some(coin) = held.pop() else { break };
            coins.push(coin);
        }
        Some(coins)
    }

    /// An exchange pays many customers at once.
    fn payout(&mut self) {
        let exchange = self.exchange();
        let many = 4 + self.rng.index(30);
        let amounts: Vec<u64> = (0..many).map(|_| self.rng.amount(30_000, 60_000_000)).collect();
        let want: u64 = amounts.iter().sum::<u64>() + 200_000;
        let Some(coins) = self.take(exchange, want, 12) else { return };
        let sum: u64 = coins.iter().map(|c| c.value).sum();
        let fee = self.fee(coins.len(), many).min(150_000);
        let mut pays = Vec::with_capacity(many + 1);
        for amount in amounts {
            let user = self.user();
            let address = self.address(user, false);
            pays.push((user, Pay::To(address, amount)));
        }
        let total: u64 = want - 200_000;
        let hot = self.hot(exchange);
        pays.push((exchange, Pay::To(hot, sum - total - fee)));
        self.spend(exchange, &coins, &pays);
    }

    /// A user tidies up.
    fn consolidate(&mut self) {
        let user = self.user();
        if self.wallets[user as usize].coins.len() < 3 {
            return;
        }
        let coins = self.more(user, Vec::new(), 25).unwrap_or_default();
        let sum: u64 = coins.iter().map(|c| c.value).sum();
        let fee = self.fee(coins.len(), 1).min(sum / 2);
        let address = self.address(user, true);
        self.spend(user, &coins, &[(user, Pay::To(address, sum - fee))]);
    }

    /// A large coin that pays one after the other from its change.
    fn peel(&mut self, left: u64) {
        let user = self.user();
        let Some(mut coins) = self.take(user, 20_000_000, 1) else { return };
        let steps = self.rng.range(3, 25).min(left);
        for _ in 0..steps {
            let sum: u64 = coins.iter().map(|c| c.value).sum();
            let amount = self.rng.amount(50_000, (sum / 8).max(60_000));
            if sum < amount + 100_000 {
                break;
            }
            let to = self.user();
            let address = self.address(to, true);
            let back = self.address(user, true);
            let change = sum - amount - self.fee(1, 2).min(9_000);
            let txid = self.spend(
                user,
                &coins,
                &[(to, Pay::To(address, amount)), (user, Pay::To(back, change))],
            );
            // The change is the next step's coin.
            let held = &mut self.wallets[user as usize].coins;
            let Some(at) = held.iter().rposition(|c| c.txid == txid) else { return };
            coins = vec![held.swap_remove(at)];
        }
        self.wallets[user as usize].coins.extend(coins);
    }

    /// A transaction with data.
    fn note_data(&mut self) {
        let user = self.user();
        let Some(coins) = self.take(user, 60_000, 1) else { return };
        let sum: u64 = coins.iter().map(|c| c.value).sum();
        let len = [12, 14, 16, 20, 22, 24, 36, 80][self.rng.index(8)];
        let data = (0..len).map(|_| self.rng.below(256) as u8).collect();
        let address = self.address(user, true);
        let fee = self.fee(1, 2).min(40_000);
        self.spend(user, &coins, &[(user, Pay::Data(data)), (user, Pay::To(address, sum - fee))]);
    }

    /// A pool or a service pays its people.
    fn pool_payout(&mut self) {
        let owner = EXCHANGES + self.rng.below(u64::from(SERVICES + POOLS)) as u32;
        let Some(coins) = self.take(owner, 2_000_000, 8) else { return };
        let sum: u64 = coins.iter().map(|c| c.value).sum();
        let many = self.rng.range(2, 40);
        let each = sum / 2 / many;
        let mut pays = Vec::new();
        let mut total = 0;
        for _ in 0..many {
            let amount = (each / 2 + self.rng.below(each)).max(600);
            let user = self.user();
            let address = self.address(user, false);
            pays.push((user, Pay::To(address, amount)));
            total += amount;
        }
        let hot = self.hot(owner);
        let rest = sum.saturating_sub(total);
        let fee = self.fee(coins.len(), pays.len() + 1).min(rest / 2);
        if total + fee + 600 > sum {
            self.wallets[owner as usize].coins.extend(coins);
            return;
        }
        pays.push((owner, Pay::To(hot, rest - fee)));
        self.spend(owner, &coins, &pays);
    }

    /// Writes what is true of the block.
    pub fn flush(&mut self) -> io::Result<()> {
        std::mem::replace(&mut self.failed, Ok(()))
    }

    /// Ends the truth's files.
    pub fn finish(mut self, dir: &Path) -> io::Result<()> {
        self.theft.close(&mut self.truth);
        self.truth.finish(dir)
    }
}
