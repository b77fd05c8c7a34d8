//! GraphSense TagPacks (graphsense/graphsense-tagpack-tool, `tagpack_schema.yaml`): YAML with fields in the header that
//! every tag inherits. Categories become our kinds and confidence words numbers by the tables of `docs/labels.md`.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
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

#[derive(Debug, Deserialize)]
struct Pack {
    title: Option<String>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    asset: Option<String>,
    #[serde(default)]
    network: Option<String>,
    #[serde(default)]
    confidence: Option<String>,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    abuse: Option<String>,
    #[serde(default)]
    concepts: Option<Vec<String>>,
    #[serde(default)]
    lastmod: Option<String>,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    header: Option<IgnoredAny>,
    tags: Option<Vec<Fields>>,
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

/// Reads a pack.
pub fn read(bytes: &[u8], path: &Path, file: &str, sha256: &str) -> Result<Read, Fail> {
    let parsed: Result<Pack, _> = serde_saphyr::from_slice_with_options(bytes, options());
    let pack = parsed.map_err(|e| {
        let at = e.location().map(|l| format!("line {}", l.line())).unwrap_or_default();
        Fail::malformed(path.display(), at, first_line(&e.to_string()))
    })?;
    let mut read = Read::default();
    if pack.header.is_some() {
        read.leave_out("header kept elsewhere (its fields are not inherited)");
    }
    let tags = pack.tags.as_deref().unwrap_or_default().to_vec();
    for tag in tags {
        tag_into(&pack, tag, file, sha256, &mut read);
    }
    Ok(read)
}

fn first_line(text: &str) -> String {
    text.lines().find(|l| !l.trim().is_empty()).unwrap_or(text).to_owned()
}

fn tag_into(pack: &Pack, tag: Fields, file: &str, sha256: &str, read: &mut Read) {
    let own = |mine: Option<String>, header: &Option<String>| mine.or_else(|| header.clone());
    let Some(address) = tag.address.or(tag.identifier) else {
        return read.leave_out("without an address");
    };
    let currency = own(tag.currency.or(tag.asset), &pack.currency.clone().or(pack.asset.clone()));
    let network = own(tag.network, &pack.network).or_else(|| currency.clone());
    if !is_bitcoin(network.as_deref(), currency.as_deref(), &address) {
        return read.leave_out("of other chains");
    }
    let label = own(tag.label, &pack.label).unwrap_or_default();
    let source = own(tag.source, &pack.source).unwrap_or_default();
    let abuse = own(tag.abuse, &pack.abuse).unwrap_or_default();
    let category = own(tag.category, &pack.category);
    let concepts = tag.concepts.or_else(|| pack.concepts.clone()).unwrap_or_default();
    let words: Vec<String> =
        category.into_iter().chain(concepts).map(|word| normal(&word)).collect();
    let text = format!("{label} {} {source}", pack.title.clone().unwrap_or_default());
    let confidence = own(tag.confidence, &pack.confidence);
    let date = own(tag.lastmod.or(tag.created), &pack.lastmod.clone().or(pack.created.clone()));
    for kind in kinds(&words, &normal(&abuse), &text) {
        read.take(Label {
            address: address.clone(),
            label: label.clone(),
            kind,
            source: if source.is_empty() { file.to_owned() } else { source.clone() },
            source_sha256: sha256.to_owned(),
            confidence: confidence_of(confidence.as_deref()),
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
