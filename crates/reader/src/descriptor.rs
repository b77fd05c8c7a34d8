//! Vault descriptors: the few forms that vaults use, their scripts, and who can spend them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bitcoin_hashes::{Hash as _, hash160, sha256};
use secp256k1::{Secp256k1, VerifyOnly};

use crate::key::Xpub;
use crate::{ReadError, fail};

/// Why the cosigner can be got round.
pub type Bypass = String;

const DEPTH_MAX: usize = 12;
const KEYS_MAX: usize = 16;

#[derive(Clone, Debug)]
enum Node {
    Pk(usize),
    Multi(usize, Vec<usize>),
    SortedMulti(usize, Vec<usize>),
    Older(u32),
    AndV(Box<Node>, Box<Node>),
    AndOr(Box<Node>, Box<Node>, Box<Node>),
    Verify(Box<Node>),
}

#[derive(Clone, Debug)]
enum KeyRoot {
    /// A plain public key.
    Fixed([u8; 33]),
    /// One extended key a branch, at the last step before the index.
    Ranged(Vec<Xpub>),
}

#[derive(Clone, Debug)]
struct Key {
    root: KeyRoot,
    base: Option<Xpub>,
    fingerprint: [u8; 4],
    /// Path of each branch from the fingerprint's key, without the index.
    paths: Vec<Vec<u32>>,
}

/// A descriptor that this decoder understands.
pub struct Vault {
    top: Node,
    keys: Vec<Key>,
    nested: bool,
    branches: u32,
    ranged: bool,
    secp: Secp256k1<VerifyOnly>,
    known: Mutex<BTreeMap<(u32, u32), Scripts>>,
}

/// Witness script and output script of an address.
type Scripts = (Vec<u8>, Vec<u8>);

/// Addresses that are remembered at most.
const KNOWN_MAX: usize = 4_096;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    keys: Vec<Key>,
    secp: Secp256k1<VerifyOnly>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn need(&mut self, token: &str) -> Result<(), ReadError> {
        if self.eat(token) { Ok(()) } else { fail(self.at, format!("`{token}` expected")) }
    }

    fn until(&mut self, stops: &[char]) -> &'a str {
        let rest = self.rest();
        let end = rest.find(stops).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn number(&mut self) -> Result<u32, ReadError> {
        let at = self.at;
        let digits = self.until(&[',', ')']);
        match digits.parse::<u32>() {
            Ok(n) if n.to_string() == digits => Ok(n),
            _ => fail(at, format!("`{digits}` is no number")),
        }
    }

    fn node(&mut self, depth: usize) -> Result<Node, ReadError> {
        if depth > DEPTH_MAX {
            return fail(self.at, "nested too deeply");
        }
        if self.eat("v:") {
            return Ok(Node::Verify(Box::new(self.node(depth + 1)?)));
        }
        let node = if self.eat("pk(") {
            Node::Pk(self.key()?)
        } else if self.eat("multi(") {
            let (k, keys) = self.keys()?;
            Node::Multi(k, keys)
        } else if self.eat("sortedmulti(") {
            let (k, keys) = self.keys()?;
            Node::SortedMulti(k, keys)
        } else if self.eat("older(") {
            Node::Older(self.number()?)
        } else if self.eat("and_v(") {
            let x = self.node(depth + 1)?;
            self.need(",")?;
            Node::AndV(Box::new(x), Box::new(self.node(depth + 1)?))
        } else if self.eat("andor(") {
            let x = self.node(depth + 1)?;
            self.need(",")?;
            let y = self.node(depth + 1)?;
            self.need(",")?;
            Node::AndOr(Box::new(x), Box::new(y), Box::new(self.node(depth + 1)?))
        } else {
            return fail(self.at, "a fragment that vaults do not use");
        };
        self.need(")")?;
        Ok(node)
    }

    fn keys(&mut self) -> Result<(usize, Vec<usize>), ReadError> {
        let k = self.number()? as usize;
        let mut keys = Vec::new();
        while self.eat(",") {
            keys.push(self.key()?);
        }
        if k == 0 || k > keys.len() {
            return fail(self.at, format!("{k} of {} keys", keys.len()));
        }
        Ok((k, keys))
    }

    fn key(&mut self) -> Result<usize, ReadError> {
        let at = self.at;
        let mut origin = None;
        if self.eat("[") {
            let inner = self.until(&[']']);
            self.need("]")?;
            origin = Some(inner);
        }
        let body = self.until(&[',', ')']);
        let key = parse_key(origin, body, &self.secp);
        let Some(key) = key else { return fail(at, "a key that is not understood") };
        if self.keys.len() == KEYS_MAX {
            return fail(at, "too many keys");
        }
        self.keys.push(key);
        Ok(self.keys.len() - 1)
    }
}

fn path_step(step: &str) -> Option<u32> {
    let hardened = step.strip_suffix(['h', '\'', 'H']);
    let number: u32 = hardened.unwrap_or(step).parse().ok()?;
    if number >= 1 << 31 {
        return None;
    }
    Some(if hardened.is_some() { number | 1 << 31 } else { number })
}

fn parse_key(origin: Option<&str>, body: &str, secp: &Secp256k1<VerifyOnly>) -> Option<Key> {
    if body.len() == 66 {
        let mut raw = [0u8; 33];
        for (at, byte) in raw.iter_mut().enumerate() {
            *byte = u8::from_str_radix(body.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        secp256k1::PublicKey::from_slice(&raw).ok()?;
        return Some(Key {
            root: KeyRoot::Fixed(raw),
            base: None,
            fingerprint: [0; 4],
            paths: Vec::new(),
        });
    }
    let mut steps = body.split('/');
    let base = Xpub::parse(steps.next()?)?;
    let mut branches: Vec<(Xpub, Vec<u32>)> = vec![(base.clone(), Vec::new())];
    let mut ranged = false;
    for step in steps {
        if ranged {
            return None;
        }
        if step == "*" {
            ranged = true;
            continue;
        }
        let alternatives: Vec<u32> = match step.strip_prefix('<').and_then(|s| s.strip_suffix('>'))
        {
            Some(list) => list.split(';').map(path_step).collect::<Option<_>>()?,
            None => vec![path_step(step)?],
        };
        if alternatives.len() > 1 && branches.len() > 1 {
            return None;
        }
        let mut next = Vec::new();
        for alternative in &alternatives {
            for (key, path) in &branches {
                let mut path = path.clone();
                path.push(*alternative);
                next.push((key.child(*alternative, secp)?, path));
            }
        }
        branches = next;
    }
    if !ranged {
        return None;
    }
    let (fingerprint, prefix) = match origin {
        None => (base.fingerprint(), Vec::new()),
        Some(origin) => {
            let mut parts = origin.split('/');
            let hex = parts.next().filter(|hex| hex.len() == 8)?;
            let number = u32::from_str_radix(hex, 16).ok()?;
            (number.to_be_bytes(), parts.map(path_step).collect::<Option<Vec<_>>>()?)
        }
    };
    let paths = branches.iter().map(|(_, path)| [prefix.as_slice(), path].concat()).collect();
    let root = KeyRoot::Ranged(branches.into_iter().map(|(key, _)| key).collect());
    Some(Key { root, base: Some(base), fingerprint, paths })
}

fn push_number(n: u32, out: &mut Vec<u8>) {
    if n == 0 {
        out.push(0);
    } else if n <= 16 {
        out.push(0x50 + u8::try_from(n).unwrap_or(0));
    } else {
        let mut le: Vec<u8> = n.to_le_bytes().to_vec();
        while le.last() == Some(&0) {
            le.pop();
        }
        if le.last().is_some_and(|b| b & 0x80 != 0) {
            le.push(0);
        }
        out.push(u8::try_from(le.len()).unwrap_or(0));
        out.extend(le);
    }
}

impl Vault {
    /// Reads a descriptor; its checksum is the first decoder's to check.
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        let text = text.split('#').next().unwrap_or_default();
        if text.len() > 8192 || !text.is_ascii() {
            return fail(0, "too long or not ASCII");
        }
        let secp = Secp256k1::verification_only();
        let mut parser = Parser { text, at: 0, keys: Vec::new(), secp };
        let nested = parser.eat("sh(");
        parser.need("wsh(")?;
        let top = parser.node(0)?;
        parser.need(")")?;
        if nested {
            parser.need(")")?;
        }
        if !parser.rest().is_empty() {
            return fail(parser.at, "text after the descriptor");
        }
        let Parser { keys, secp, .. } = parser;
        let counts: BTreeSet<usize> = keys
            .iter()
            .filter_map(|k| match &k.root {
                KeyRoot::Ranged(branches) => Some(branches.len()),
                KeyRoot::Fixed(_) => None,
            })
            .collect();
        if counts.len() > 1 || counts.first().is_some_and(|n| *n > 2) {
            return fail(0, "keys differ in their branches");
        }
        let ranged = !counts.is_empty();
        let branches = counts.first().map_or(1, |n| u32::try_from(*n).unwrap_or(1));
        Ok(Self { top, keys, nested, branches, ranged, secp, known: Mutex::default() })
    }

    /// Witness script and output script of an address.
    pub fn scripts(&self, branch: u32, index: u32) -> Option<Scripts> {
        if let Some(scripts) = self.known.lock().ok()?.get(&(branch, index)) {
            return Some(scripts.clone());
        }
        let scripts = self.derive(branch, index)?;
        let mut known = self.known.lock().ok()?;
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert((branch, index), scripts.clone());
        Some(scripts)
    }

    fn derive(&self, branch: u32, index: u32) -> Option<Scripts> {
        let keys = self.public_keys(branch, index)?;
        let mut witness = Vec::new();
        compile(&self.top, &keys, &mut witness)?;
        let mut program = vec![0x00, 0x20];
        program.extend(sha256::Hash::hash(&witness).to_byte_array());
        if !self.nested {
            return Some((witness, program));
        }
        let mut script = vec![0xa9, 0x14];
        script.extend(hash160::Hash::hash(&program).to_byte_array());
        script.push(0x87);
        Some((witness, script))
    }

    fn public_keys(&self, branch: u32, index: u32) -> Option<Vec<[u8; 33]>> {
        let branch = usize::try_from(branch).ok()?;
        let one = |key: &Key| match &key.root {
            KeyRoot::Fixed(raw) => Some(*raw),
            KeyRoot::Ranged(branches) => {
                Some(branches.get(branch)?.child(index, &self.secp)?.point.serialize())
            }
        };
        self.keys.iter().map(one).collect()
    }

    /// Number of branches.
    pub const fn branches(&self) -> u32 {
        self.branches
    }

    /// Whether it has more than one address.
    pub const fn is_ranged(&self) -> bool {
        self.ranged
    }

    /// Branch and index that a key origin points to, if it is one of this vault's.
    pub(crate) fn locate(&self, fingerprint: &[u8], path: &[u32]) -> Option<(u32, u32)> {
        let (index, before) = path.split_last()?;
        let keys = self.keys.iter().filter(|k| k.fingerprint == fingerprint);
        for key in keys {
            if let Some(branch) = key.paths.iter().position(|own| own == before) {
                return Some((u32::try_from(branch).ok()?, *index));
            }
        }
        None
    }

    /// Tries every subset of the keys, with every lock closed: nothing may spend without the cosigner,
    /// and with it any k of the holders, no more and no less. `least` is the shortest lock in blocks.
    pub fn check_cosigner(&self, xpub: &str, least: u32) -> Result<usize, Bypass> {
        let Some(ours) = Xpub::parse(xpub) else { return Err("the cosigner's key".to_owned()) };
        let is_ours = |key: &&Key| key.base.as_ref() == Some(&ours);
        if self.keys.iter().filter(is_ours).count() != 1 {
            return Err("the cosigner's key does not stand there exactly once".to_owned());
        }
        let ours = self.keys.iter().position(|k| is_ours(&k)).unwrap_or(usize::MAX);
        self.check_distinct()?;
        check_locks(&self.top, least)?;
        let n = self.keys.len();
        let spends = |set: u32| satisfied(&self.top, set);
        let all = 0..1u32 << n;
        // A holder is a key without which some set stops spending.
        let holder = |key: usize| {
            all.clone().any(|set| set >> key & 1 == 1 && spends(set) && !spends(set & !(1 << key)))
        };
        let holders: u32 = (0..n).filter(|k| *k != ours && holder(*k)).map(|k| 1 << k).sum();
        let counts = all.clone().filter(|set| spends(*set)).map(|set| (set & holders).count_ones());
        let Some(k) = counts.min() else { return Err("nothing spends".to_owned()) };
        if k == 0 {
            return Err("some set spends without a holder".to_owned());
        }
        for set in all {
            let expected = set >> ours & 1 == 1 && (set & holders).count_ones() >= k;
            if spends(set) != expected {
                return Err(format!("keys {set:#b} spend: {}, expected: {expected}", spends(set)));
            }
        }
        Ok(k as usize)
    }

    fn check_distinct(&self) -> Result<(), Bypass> {
        // A fixed key may be any extended key's child, and then two keys are one person's.
        if self.keys.iter().any(|k| k.base.is_none()) {
            return Err("a key without derivation stands in it".to_owned());
        }
        for branch in 0..self.branches {
            let keys = self.public_keys(branch, 0).ok_or("keys do not derive")?;
            if keys.iter().collect::<BTreeSet<_>>().len() != keys.len() {
                return Err("a key stands there twice".to_owned());
            }
        }
        let bases: Vec<_> = self.keys.iter().filter_map(|k| k.base.as_ref()).collect();
        let distinct: BTreeSet<_> = bases.iter().map(|b| b.point.serialize()).collect();
        if distinct.len() != bases.len() {
            return Err("an extended key stands there twice".to_owned());
        }
        Ok(())
    }
}

fn check_locks(node: &Node, least: u32) -> Result<(), Bypass> {
    match node {
        Node::Older(n) if !(least..=65_535).contains(n) => Err(format!("older({n}) is no lock")),
        Node::Older(_) | Node::Pk(_) | Node::Multi(..) | Node::SortedMulti(..) => Ok(()),
        Node::Verify(x) => check_locks(x, least),
        Node::AndV(x, y) => check_locks(x, least).and_then(|()| check_locks(y, least)),
        Node::AndOr(x, y, z) => {
            check_locks(x, least)?;
            check_locks(y, least)?;
            check_locks(z, least)
        }
    }
}

fn satisfied(node: &Node, set: u32) -> bool {
    match node {
        Node::Pk(key) => set >> key & 1 == 1,
        Node::Multi(k, keys) | Node::SortedMulti(k, keys) => {
            keys.iter().filter(|key| set >> **key & 1 == 1).count() >= *k
        }
        Node::Older(_) => false,
        Node::Verify(x) => satisfied(x, set),
        Node::AndV(x, y) => satisfied(x, set) && satisfied(y, set),
        Node::AndOr(x, y, z) => (satisfied(x, set) && satisfied(y, set)) || satisfied(z, set),
    }
}

/// Miniscript's translation of the fragments (miniscript, "Translation Table").
fn compile(node: &Node, keys: &[[u8; 33]], out: &mut Vec<u8>) -> Option<()> {
    match node {
        Node::Pk(key) => {
            out.push(33);
            out.extend(keys.get(*key)?);
            out.push(0xac);
        }
        Node::Multi(k, members) => multi(*k, members.iter().map(|m| keys.get(*m)), out)?,
        Node::SortedMulti(k, members) => {
            let mut sorted = members.iter().map(|m| keys.get(*m)).collect::<Option<Vec<_>>>()?;
            sorted.sort_unstable();
            multi(*k, sorted.into_iter().map(Some), out)?;
        }
        Node::Older(n) => {
            push_number(*n, out);
            out.push(0xb2);
        }
        Node::AndV(x, y) => {
            compile(x, keys, out)?;
            compile(y, keys, out)?;
        }
        Node::AndOr(x, y, z) => {
            compile(x, keys, out)?;
            out.push(0x64);
            compile(z, keys, out)?;
            out.push(0x67);
            compile(y, keys, out)?;
            out.push(0x68);
        }
        Node::Verify(x) => {
            compile(x, keys, out)?;
            // The last opcode of what can be verified here has a form of its own or takes VERIFY.
            match (x.as_ref(), out.last_mut()) {
                (Node::Pk(_) | Node::Multi(..) | Node::SortedMulti(..), Some(last)) => *last += 1,
                _ => out.push(0x69),
            }
        }
    }
    Some(())
}

fn multi<'a>(
    k: usize,
    keys: impl Iterator<Item = Option<&'a [u8; 33]>>,
    out: &mut Vec<u8>,
) -> Option<()> {
    push_number(u32::try_from(k).ok()?, out);
    let mut n = 0;
    for key in keys {
        out.push(33);
        out.extend(key?);
        n += 1;
    }
    push_number(n, out);
    out.push(0xae);
    Some(())
}
