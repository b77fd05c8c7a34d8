//! Who owns an address, by whom it is said, and how sure that is. A label is a claim: it keeps its source and date, and
//! a trace that uses it names it.

use std::collections::HashMap;

use chaingraph::{Graph, ScriptNum};

/// What a labelled owner is, as far as traces care.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Takes deposits and pays out from other coins.
    Exchange,
    /// Hands over to another chain.
    Bridge,
    /// A custodial mixer.
    Mixer,
    /// A payment processor.
    Payment,
    /// A gambling house.
    Gambling,
    /// A market.
    Market,
    /// A wallet that is kept for others.
    Hosted,
    /// On a sanctions list.
    Sanctioned,
    /// A person.
    Person,
    /// Stolen coins, or a thief.
    Theft,
    /// Anything else; it annotates.
    Other(String),
}

impl Kind {
    /// The kinds at which a trace ends, unless it is told otherwise: what lies behind is not the owner's own flow.
    pub const ENDING: [Self; 7] = [
        Self::Exchange,
        Self::Bridge,
        Self::Mixer,
        Self::Payment,
        Self::Gambling,
        Self::Market,
        Self::Hosted,
    ];

    /// The word for it in JSON and files.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Exchange => "exchange",
            Self::Bridge => "bridge",
            Self::Mixer => "mixer",
            Self::Payment => "payment",
            Self::Gambling => "gambling",
            Self::Market => "market",
            Self::Hosted => "hosted",
            Self::Sanctioned => "sanctioned",
            Self::Person => "person",
            Self::Theft => "theft",
            Self::Other(word) => word,
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word {
            "exchange" => Self::Exchange,
            "bridge" => Self::Bridge,
            "mixer" => Self::Mixer,
            "payment" => Self::Payment,
            "gambling" => Self::Gambling,
            "market" => Self::Market,
            "hosted" => Self::Hosted,
            "sanctioned" => Self::Sanctioned,
            "person" => Self::Person,
            "theft" => Self::Theft,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// One label.
#[derive(Clone, PartialEq, Debug)]
pub struct Label {
    /// The address as the source has it.
    pub address: String,
    /// The owner's name.
    pub label: String,
    /// What the owner is.
    pub kind: Kind,
    /// Who says so.
    pub source: String,
    /// SHA-256 of the file it came from, in hex.
    pub source_sha256: String,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// When it was said, as the source writes it.
    pub date: String,
    /// What it is said to be misused for; may be empty.
    pub abuse: String,
}

/// A label as it applies to a script.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Applied<'a> {
    /// The label.
    pub label: &'a Label,
    /// It is said of another address of the cluster.
    pub via_cluster: bool,
    /// The label's confidence, or nine tenths of it through a cluster (CONTRACT).
    pub confidence: f64,
}

/// A cluster that has labels of two services: the join is wrong, or one of the labels is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collapse {
    /// The cluster's root.
    pub root: ScriptNum,
    /// A script with the one label, and its name.
    pub one: (ScriptNum, String),
    /// A script with the other.
    pub other: (ScriptNum, String),
}

/// Labels over a graph: by script, and by cluster where that is not collapsed.
#[derive(Debug, Default)]
pub struct Attribution {
    labels: Vec<Label>,
    direct: HashMap<u32, Vec<u32>>,
    by_cluster: HashMap<u32, Vec<u32>>,
    /// Clusters through which no label is carried.
    pub collapsed: Vec<Collapse>,
}

/// What a label carries through a cluster.
const CLUSTER_SHARE: f64 = 0.9;

impl Attribution {
    /// Over labels whose scripts the graph has; others don't matter to it.
    #[must_use]
    pub fn new(graph: &Graph, labels: Vec<(ScriptNum, Label)>) -> Self {
        let mut made = Self::default();
        let mut names: HashMap<u32, (ScriptNum, String)> = HashMap::new();
        for (script, label) in labels {
            let number = u32::try_from(made.labels.len()).unwrap_or(u32::MAX);
            made.direct.entry(script.0).or_default().push(number);
            let root = graph.cluster(script);
            made.by_cluster.entry(root.0).or_default().push(number);
            if Kind::ENDING.contains(&label.kind) {
                let name = service(&label.label);
                match names.get(&root.0) {
                    Some((one, known)) if *known != name => made.collapsed.push(Collapse {
                        root,
                        one: (*one, known.clone()),
                        other: (script, name),
                    }),
                    Some(_) => {}
                    None => {
                        names.insert(root.0, (script, name));
                    }
                }
            }
            made.labels.push(label);
        }
        // A service's cluster holds its customers' addresses too: what is said of one of them is not the service's.
        for list in made.by_cluster.values_mut() {
            let kind = |n: &u32| made.labels.get(*n as usize).map(|l| &l.kind);
            let is_service = |n: &u32| kind(n).is_some_and(|k| Kind::ENDING.contains(k));
            if list.iter().any(is_service) {
                list.retain(is_service);
            }
        }
        for collapse in &made.collapsed {
            made.by_cluster.remove(&collapse.root.0);
        }
        made
    }

    /// The labels of a script: its own, and its cluster's others; the surest first, of equal ones the first given.
    #[must_use]
    pub fn of(&self, graph: &Graph, script: ScriptNum) -> Vec<Applied<'_>> {
        if self.labels.is_empty() {
            return Vec::new();
        }
        let own = self.direct.get(&script.0).map_or(&[][..], |list| list);
        let cluster = self.by_cluster.get(&graph.cluster(script).0).map_or(&[][..], |list| list);
        let applied = |number: &u32, via_cluster: bool| {
            let label = self.labels.get(*number as usize)?;
            let share = if via_cluster { CLUSTER_SHARE } else { 1.0 };
            Some(Applied { label, via_cluster, confidence: label.confidence * share })
        };
        let mut all: Vec<_> = own.iter().filter_map(|n| applied(n, false)).collect();
        // Of the cluster's, one of each name and kind: a thousand tagged addresses say it no louder than one.
        for other in cluster.iter().filter(|n| !own.contains(n)).filter_map(|n| applied(n, true)) {
            let same = |a: &&mut Applied<'_>| {
                (&a.label.label, &a.label.kind) == (&other.label.label, &other.label.kind)
            };
            match all.iter_mut().find(same) {
                Some(known) if known.confidence < other.confidence => *known = other,
                Some(_) => {}
                None => all.push(other),
            }
        }
        all.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        all
    }

    /// All labels that are over scripts of the graph.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Scripts with a label of their own, rising, each with its labels.
    #[must_use]
    pub fn scripts(&self) -> Vec<(ScriptNum, Vec<&Label>)> {
        let mut all: Vec<_> = self
            .direct
            .iter()
            .map(|(script, numbers)| {
                let labels = numbers.iter().filter_map(|n| self.labels.get(*n as usize));
                (ScriptNum(*script), labels.collect())
            })
            .collect();
        all.sort_by_key(|(script, _)| *script);
        all
    }
}

/// The first word of a service's name, in lower case: `Huobi.com-2` and `huobi hot wallet` are one service. Where that
/// word names no one, the next one too: `Bitcoin Fog` is not `Bitcoin.de`.
fn service(label: &str) -> String {
    const OF_NO_ONE: [&str; 12] = [
        "bit",
        "bitcoin",
        "bitcoins",
        "btc",
        "coin",
        "coins",
        "crypto",
        "cryptocurrency",
        "hot",
        "my",
        "the",
        "wallet",
    ];
    let label = label.to_lowercase();
    let mut words = label.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    match (words.next(), words.next()) {
        (Some(first), Some(second)) if OF_NO_ONE.contains(&first) => format!("{first} {second}"),
        (Some(first), _) => first.to_owned(),
        (None, _) => label.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_any_of_its_names() {
        for (one, other) in [("Huobi.com-2", "huobi hot wallet"), ("BTC-e.com", "btc-e old")] {
            assert_eq!(service(one), service(other));
        }
        for (one, other) in
            [("Bitcoin Fog", "Bitcoin.de"), ("BTC-e", "BTC Guild"), ("Xapo", "Kraken")]
        {
            assert_ne!(service(one), service(other));
        }
        assert_eq!(service("--"), "--");
    }
}
