//! GraphSense TagPacks (graphsense/graphsense-tagpack-tool, `tagpack_schema.yaml`): YAML with fields in the header that
//! every tag inherits. Categories become our kinds and confidence words numbers by the tables of `docs/labels.md`.

use std::path::Path;

use bitcoin::hashes::{Hash as _, sha256};
use serde::Deserialize;
use trace::labels::{Kind, Label};

use super::labels::Read;
use crate::fail::Fail;

/// The fields that a tag may have, and that the header may have for all tags.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    address: Option<String>,
    identifier: Option<String>,
    label: Option<String>,
    source: Option<String>,
    currency: Option<String>,
    asset: Option<String>,
    network: Option<String>,
    confidence: Option<String>,
    category: Option<String>,
    abuse: Option<String>,
    concepts: Option<Vec<String>>,
    lastmod: Option<String>,
    created: Option<String>,
}

impl Fields {
    /// What this one lacks is the other's.
    fn or(self, other: &Self) -> Self {
        let or = |mine: Option<String>, others: &Option<String>| mine.or_else(|| others.clone());
        Self {
            address: or(self.address, &other.address),
            identifier: or(self.identifier, &other.identifier),
            label: or(self.label, &other.label),
            source: or(self.source, &other.source),
            currency: or(self.currency, &other.currency),
            asset: or(self.asset, &other.asset),
            network: or(self.network, &other.network),
            confidence: or(self.confidence, &other.confidence),
            category: or(self.category, &other.category),
            abuse: or(self.abuse, &other.abuse),
            concepts: self.concepts.or_else(|| other.concepts.clone()),
            lastmod: or(self.lastmod, &other.lastmod),
            created: or(self.created, &other.created),
        }
    }
}

/// A header for several packs: written out, or the name of a file beside the pack or in a folder above it (`!include`).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Header {
    File(String),
    Fields(Box<Fields>),
}

/// A pack. Its own fields stand beside `tags` (no `flatten`: it would read a large pack into memory twice).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pack {
    title: Option<String>,
    label: Option<String>,
    source: Option<String>,
    currency: Option<String>,
    asset: Option<String>,
    network: Option<String>,
    confidence: Option<String>,
    category: Option<String>,
    abuse: Option<String>,
    concepts: Option<Vec<String>>,
    lastmod: Option<String>,
    created: Option<String>,
    header: Option<Header>,
    tags: Option<Vec<Fields>>,
}

impl Pack {
    /// What its tags inherit.
    fn fields(&mut self) -> Fields {
        Fields {
            address: None,
            identifier: None,
            label: self.label.take(),
            source: self.source.take(),
            currency: self.currency.take(),
            asset: self.asset.take(),
            network: self.network.take(),
            confidence: self.confidence.take(),
            category: self.category.take(),
            abuse: self.abuse.take(),
            concepts: self.concepts.take(),
            lastmod: self.lastmod.take(),
            created: self.created.take(),
        }
    }
}

/// Bounds for packs of a hundred megabytes; depth and aliases are small, as packs have none of either.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 120_000_000,
            max_nodes: 60_000_000,
            max_total_scalar_bytes: 1 << 31,
            max_depth: 16,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 1,
        },
    }
}

/// Reads a pack, and the header that it includes, which lies in `folder` or below.
pub fn read(
    bytes: &[u8],
    path: &Path,
    folder: &Path,
    file: &str,
    sha256: &str,
) -> Result<Read, Fail> {
    let mut pack: Pack = parse(bytes, path)?;
    let mut inherited = pack.fields();
    let mut read = Read::default();
    match pack.header.take() {
        Some(Header::Fields(fields)) => inherited = inherited.or(&fields),
        Some(Header::File(name)) => {
            let (fields, sha256) = header(&name, path, folder)?;
            inherited = inherited.or(&fields);
            read.included = Some((name, sha256));
        }
        None => {}
    }
    let title = pack.title.unwrap_or_default();
    // Every tag has a copy of them.
    let words = [&inherited.label, &inherited.source, &inherited.abuse, &inherited.confidence];
    let long = words.into_iter().flatten().chain([&title]).any(|text| text.len() > INHERITED_MAX);
    if long {
        let why = format!("a field that its tags inherit has more than {INHERITED_MAX} bytes");
        return Err(Fail::malformed(path.display(), "", why));
    }
    for tag in pack.tags.unwrap_or_default() {
        tag_into(&title, &inherited, tag, file, sha256, &mut read);
    }
    Ok(read)
}

fn parse<T: for<'de> Deserialize<'de>>(bytes: &[u8], path: &Path) -> Result<T, Fail> {
    serde_saphyr::from_slice_with_options(bytes, options()).map_err(|e| {
        let at = e.location().map(|l| format!("line {}", l.line())).unwrap_or_default();
        Fail::malformed(path.display(), at, first_line(&e.to_string()))
    })
}

/// Bytes of a field that all tags of a pack inherit.
const INHERITED_MAX: usize = 4_096;
/// A header with more bytes is none.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// The fields of an included header. A pack whose header is missing is refused: its tags would be without a source.
fn header(name: &str, pack: &Path, folder: &Path) -> Result<(Fields, String), Fail> {
    let plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
    let places = pack.ancestors().skip(1).take_while(|dir| dir.starts_with(folder));
    let is_header = |at: &std::path::PathBuf| {
        std::fs::symlink_metadata(at).is_ok_and(|m| m.is_file() && m.len() <= HEADER_BYTES_MAX)
    };
    let found = places.filter(|_| plain).map(|dir| dir.join(name)).find(is_header);
    let Some(found) = found else {
        let why = format!("its header `{name}` is neither beside it nor in a folder above it");
        return Err(Fail::malformed(pack.display(), "header", why));
    };
    let bytes =
        std::fs::read(&found).map_err(|e| Fail::failed(format!("{}: {e}", found.display())))?;
    Ok((parse(&bytes, &found)?, sha256::Hash::hash(&bytes).to_string()))
}

fn first_line(text: &str) -> String {
    text.lines().find(|l| !l.trim().is_empty()).unwrap_or(text).to_owned()
}

fn tag_into(
    title: &str,
    inherited: &Fields,
    mut tag: Fields,
    file: &str,
    sha256: &str,
    read: &mut Read,
) {
    let Some(address) = tag.address.take().or(tag.identifier.take()) else {
        return read.leave_out("without an address", tag.label.as_deref().unwrap_or_default());
    };
    // Two names for one thing: a tag's own one stands before the header's other one.
    tag.currency = tag.currency.or(tag.asset.take());
    tag.lastmod = tag.lastmod.or(tag.created.take());
    let tag = tag.or(inherited);
    let currency = tag.currency.or(tag.asset);
    let network = tag.network.or_else(|| currency.clone());
    if !is_bitcoin(network.as_deref(), currency.as_deref(), &address) {
        return read.leave_out("of other chains", &address);
    }
    let (label, source) = (tag.label.unwrap_or_default(), tag.source.unwrap_or_default());
    let abuse = tag.abuse.unwrap_or_default();
    let words: Vec<String> = tag
        .category
        .into_iter()
        .chain(tag.concepts.unwrap_or_default())
        .map(|word| normal(&word))
        .collect();
    let text = format!("{label} {title} {source}");
    let date = tag.lastmod.or(tag.created);
    for kind in kinds(&words, &normal(&abuse), &text) {
        read.take(Label {
            address: address.clone(),
            label: label.clone(),
            kind,
            source: if source.is_empty() { file.to_owned() } else { source.clone() },
            source_sha256: sha256.to_owned(),
            confidence: confidence_of(tag.confidence.as_deref()),
            date: date.clone().unwrap_or_default(),
            abuse: abuse.clone(),
        });
    }
}

/// By network, else by currency, never by the address's shape: other chains have addresses that look the same. Omni's
/// USDT lies on Bitcoin.
fn is_bitcoin(network: Option<&str>, currency: Option<&str>, address: &str) -> bool {
    let bitcoin =
        |word: &str| matches!(word.trim().to_uppercase().as_str(), "BTC" | "XBT" | "BITCOIN");
    let omni = currency.is_some_and(|c| c.trim().eq_ignore_ascii_case("USDT"))
        && address.starts_with(['1', '3'])
        && network.is_none_or(|n| n.trim().eq_ignore_ascii_case("USDT"));
    network.is_some_and(bitcoin) || omni
}

fn normal(word: &str) -> String {
    word.trim().to_lowercase().replace([' ', '-'], "_")
}

/// Confidence words of the tool (`confidence.csv`, level / 100).
fn confidence_of(word: Option<&str>) -> f64 {
    match word.map(normal).as_deref() {
        Some("override" | "ownership" | "ledger_immanent") => 1.0,
        Some("manual_transaction") => 0.9,
        Some("service_api" | "forensic_investigation") => 0.7,
        Some("authority_data") => 0.6,
        Some("trusted_provider" | "service_data" | "forensic") => 0.5,
        Some("untrusted_transaction") => 0.4,
        Some("web_crawl") => 0.2,
        Some("unknown") => 0.05,
        // CONTRACT: an unknown word is 0.1; a pack that says nothing is taken so too.
        _ => 0.1,
    }
}

/// Our kinds for a tag: what ends a trace by the category, and *sanctioned* beside it where both are said.
fn kinds(categories: &[String], abuse: &str, text: &str) -> Vec<Kind> {
    let by_category = categories.iter().find_map(|word| by_category(word));
    let sanctioned = abuse == "sanction" || categories.iter().any(|w| w == "sanction");
    let ending = by_category.clone().filter(|kind| Kind::ENDING.contains(kind));
    if let Some(ending) = ending {
        let mut kinds = vec![ending];
        if sanctioned {
            kinds.push(Kind::Sanctioned);
        }
        return kinds;
    }
    let text = text.to_lowercase();
    let says_so = text
        .split(|c: char| !c.is_alphanumeric())
        .any(|w| w == "ofac" || w.starts_with("sanction"));
    let is_person = by_category.is_none() || by_category == Some(Kind::Person);
    if sanctioned || (abuse.is_empty() && is_person && says_so) {
        return vec![Kind::Sanctioned];
    }
    let abused = by_abuse(abuse).or_else(|| categories.iter().find_map(|w| by_abuse(w)));
    let other = || Kind::Other("unknown".to_owned());
    vec![abused.or(by_category).unwrap_or_else(other)]
}

fn by_category(word: &str) -> Option<Kind> {
    let other = |word: &str| Some(Kind::Other(word.to_owned()));
    match word {
        "exchange" | "atm" => Some(Kind::Exchange),
        "defi_bridge" | "bridge" => Some(Kind::Bridge),
        "mixing_service" | "mixer" => Some(Kind::Mixer),
        "payment_processor" => Some(Kind::Payment),
        "gambling" => Some(Kind::Gambling),
        "market" | "marketplace" => Some(Kind::Market),
        "wallet_service" | "escrow_wallet" | "hosted_wallet" => Some(Kind::Hosted),
        "user" | "perpetrator" | "victim" => Some(Kind::Person),
        "miner" | "mining_service" => other("miner"),
        "donation" => other("donation"),
        "coinjoin" | "mixing" => other("coinjoin"),
        "service" | "shop" | "faucet" | "filesharing" | "index" | "messaging_service"
        | "search_engine" | "hosting" | "vpn" | "ico_wallet" | "defi" | "defi_lending"
        | "defi_dex" | "defi_derivative" | "defi_derivatives" => other("service"),
        "organization" | "entity" => other("organization"),
        _ => None,
    }
}

fn by_abuse(word: &str) -> Option<Kind> {
    let other = |word: &str| Some(Kind::Other(word.to_owned()));
    match word {
        "sanction" => Some(Kind::Sanctioned),
        "service_hack" | "account_hack" | "hacking" | "exploit" | "theft" => Some(Kind::Theft),
        "ransomware" | "ransomeware" => other("ransomware"),
        "scam" | "phishing" | "investment_fraud" | "ponzi_scheme" | "pyramid_scheme"
        | "payment_card_fraud" | "financial_crime" | "social_engineering" | "abuse" => {
            other("scam")
        }
        "extortion" | "sextortion" => other("extortion"),
        "terrorism" | "extremism" => other("terrorism"),
        "money_laundering" => other("laundering"),
        "child_sexual_abuse" | "sexual_abuse" => other("csam"),
        "dark_web" | "drugs" | "weapons" | "counterfeit" | "murder" | "violence" | "torture"
        | "human_trafficking" | "malware" | "data_breach" => other("illicit"),
        _ => None,
    }
}
