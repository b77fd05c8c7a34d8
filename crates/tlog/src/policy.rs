//! Witness policy: one flat group, k of n, of which f may be hostile (C2SP tlog-policy and our rule).

use crate::head::CosignedHead;
use crate::key::{KeyKind, VerifierKey};

/// Most witnesses in a policy.
pub const WITNESSES_MAX: usize = 16;

/// Why a witness policy was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyError {
    /// A line that is not understood.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// k, n and f that let two histories live or let f witnesses stop everything.
    #[error("{k} of {n} witnesses with {f} hostile: needs 2k - n > f and n - f >= k")]
    Quorum {
        /// Cosignatures asked for.
        k: usize,
        /// Witnesses.
        n: usize,
        /// How many may be hostile.
        f: usize,
    },
    /// The same key or name twice.
    #[error("witness `{0}` stands in the policy twice")]
    Duplicate(String),
}

/// One witness: key, and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its cosignature key.
    pub key: VerifierKey,
    /// Base URL, if it is reached over HTTP.
    pub url: Option<String>,
}

/// k of n witnesses, f of whom may be hostile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessPolicy {
    witnesses: Vec<Witness>,
    keys: Vec<VerifierKey>,
    k: usize,
    f: usize,
}

impl WitnessPolicy {
    /// Whether `next` replaces one witness of this policy and changes nothing else.
    pub fn is_one_step_to(&self, next: &Self) -> bool {
        let kept = self.keys.iter().filter(|key| next.keys.contains(key)).count();
        let same = (self.k, self.f, self.keys.len()) == (next.k, next.f, next.keys.len());
        same && kept + 1 == self.keys.len()
    }

    /// Makes a policy; refuses one in which two histories could both find k witnesses
    /// (2k - n > f) or in which f silent ones stop the log (n - f >= k).
    pub fn new(witnesses: Vec<Witness>, k: usize, f: usize) -> Result<Self, PolicyError> {
        let n = witnesses.len();
        let sound = n > 0 && n <= WITNESSES_MAX && k <= n && 2 * k > n + f && n >= f + k;
        if !sound {
            return Err(PolicyError::Quorum { k, n, f });
        }
        for (index, witness) in witnesses.iter().enumerate() {
            let twice = witnesses.iter().skip(index + 1).any(|other| {
                other.key.key() == witness.key.key() || other.key.name() == witness.key.name()
            });
            if twice {
                return Err(PolicyError::Duplicate(witness.key.name().to_owned()));
            }
        }
        let keys = witnesses.iter().map(|w| w.key.clone()).collect();
        Ok(Self { witnesses, keys, k, f })
    }

    /// Reads the tlog-policy text form: `witness` lines, one flat `group`, `quorum`; `log` lines
    /// and `#` comments are skipped.
    pub fn parse(text: &str, f: usize) -> Result<Self, PolicyError> {
        let mut named: Vec<(String, Witness)> = Vec::new();
        let mut group: Option<(String, usize, Vec<String>)> = None;
        let mut quorum = None;
        for (number, line) in text.lines().enumerate() {
            let fail = |what: &str| PolicyError::Line { line: number + 1, what: what.to_owned() };
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] | ["log", ..] => {}
                [first, ..] if first.starts_with('#') => {}
                ["witness", name, key] | ["witness", name, key, _] => {
                    let url = words.get(3).map(|u| (*u).to_owned());
                    // It is shown to people before they sign.
                    if url.as_ref().is_some_and(|u| !u.bytes().all(|b| b.is_ascii_graphic())) {
                        return Err(fail("a URL is plain ASCII"));
                    }
                    let key = VerifierKey::parse(key).map_err(|e| fail(&e.to_string()))?;
                    if key.kind() != KeyKind::Witness {
                        return Err(fail("a witness key has type 0x04"));
                    }
                    named.push(((*name).to_owned(), Witness { key, url }));
                }
                ["group", name, threshold, members @ ..] if !members.is_empty() => {
                    if group.is_some() {
                        return Err(fail("only one flat group is understood"));
                    }
                    let k = match *threshold {
                        "any" => 1,
                        "all" => members.len(),
                        number => number.parse().map_err(|_| fail("threshold is no number"))?,
                    };
                    let members = members.iter().map(|m| (*m).to_owned()).collect();
                    group = Some(((*name).to_owned(), k, members));
                }
                ["quorum", name] if quorum.is_none() => quorum = Some((*name).to_owned()),
                _ => return Err(fail("not a line of a tlog-policy that is understood here")),
            }
        }
        let end = text.lines().count();
        let fail = |what: &str| PolicyError::Line { line: end, what: what.to_owned() };
        let (name, k, members) = group.ok_or_else(|| fail("no group"))?;
        if quorum.as_deref() != Some(&name) {
            return Err(fail("`quorum` must name the group"));
        }
        let mut witnesses = Vec::new();
        for member in &members {
            let found = named.iter().find(|(n, _)| n == member);
            let (_, witness) = found.ok_or_else(|| fail(&format!("no witness `{member}`")))?;
            witnesses.push(witness.clone());
        }
        Self::new(witnesses, k, f)
    }

    /// The text form; [`WitnessPolicy::parse`] reads it back.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut members = String::new();
        for (index, witness) in self.witnesses.iter().enumerate() {
            let url = witness.url.as_deref().map(|u| format!(" {u}")).unwrap_or_default();
            text.push_str(&format!("witness w{} {}{url}\n", index + 1, witness.key));
            members.push_str(&format!(" w{}", index + 1));
        }
        text.push_str(&format!("group witnesses {}{members}\nquorum witnesses\n", self.k));
        text
    }

    /// The witnesses, in order.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Their keys, in order.
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// How many must cosign.
    pub const fn k(&self) -> usize {
        self.k
    }

    /// How many may be hostile.
    pub const fn f(&self) -> usize {
        self.f
    }

    /// Whether `head`, checked against [`WitnessPolicy::keys`], bears k cosignatures.
    pub fn is_met(&self, head: &CosignedHead) -> bool {
        head.cosignatures().len() >= self.k
    }
}
