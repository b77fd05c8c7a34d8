//! The intent: what a requester asks for, as JSON in a signed DSSE envelope, checked once.
//!
//! Parsing is strict: unknown or duplicate members, floats, out-of-range amounts and trailing bytes
//! are refused. The digest is over the parsed fields, so that spelling does not matter.

use std::str::FromStr as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, ScriptBuf};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Tag, hex, unhex};
use crate::keys::{KeySignature, PublicKey, SecretKey};
use crate::network::Network;
use crate::time::Timestamp;
use crate::wire::{Wire as _, wire_enum, wire_struct};

/// DSSE payload type of an intent.
pub const PAYLOAD_TYPE: &str = "application/vnd.countersign.intent+json";

/// Most payments of one intent.
pub const OUTPUTS_MAX: usize = 2_000;

/// Bytes of the largest envelope: 2,000 payments of some 250 bytes, in base64.
pub const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Pay the outputs.
    Pay,
    /// Gather coins into change; pays nobody.
    Consolidate,
    /// Move coins that grow old, or abandon an intent by spending its coins to change.
    Refresh,
}

wire_enum!(Kind { Pay = 0, Consolidate = 1, Refresh = 2 });

impl Kind {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pay => "pay",
            Self::Consolidate => "consolidate",
            Self::Refresh => "refresh",
        }
    }
}

/// One payment asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Where to, as a script: addresses are never compared as text.
    pub script: ScriptBuf,
    /// How much.
    pub amount: Amount,
    /// The payment's own name in the requester's books; unique in the vault.
    pub reference: String,
}

wire_struct!(Payment { script, amount, reference });

/// A request that parsed, with a valid signature of `requester`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    kind: Kind,
    vault_id: Digest,
    network: Network,
    id: String,
    outputs: Vec<Payment>,
    max_fee: Amount,
    not_before: Timestamp,
    expires: Timestamp,
    nonce: [u8; 32],
    requester: PublicKey,
    foreign_network: bool,
}

/// Why an intent was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{at}: {detail}")]
pub struct IntentError {
    /// Where: a member, or line and column.
    pub at: String,
    /// What is wrong.
    pub detail: String,
    /// The envelope is well-formed but its signature is missing or wrong.
    pub signature: bool,
}

fn fault(at: impl Into<String>, detail: impl Into<String>) -> IntentError {
    IntentError { at: at.into(), detail: detail.into(), signature: false }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: String,
    sig: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    version: u32,
    kind: Kind,
    vault_id: Digest,
    network: String,
    id: String,
    outputs: Vec<PayloadOutput>,
    max_fee_sat: u64,
    not_before: Timestamp,
    expires: Timestamp,
    nonce: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PayloadOutput {
    address: String,
    amount_sat: u64,
    reference: String,
}

/// The message that a DSSE signature covers (DSSE v1, "PAE").
fn pre_authentication(payload: &[u8]) -> Vec<u8> {
    let mut message =
        format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| {
            if dashes.contains(&at) {
                byte == b'-'
            } else {
                byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
            }
        })
}

/// References are shown to people and compared by machines: printable ASCII, 1 to 128 of it.
fn is_reference(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

fn parse_outputs(
    outputs: &[PayloadOutput],
    network: Network,
) -> Result<(Vec<Payment>, bool), IntentError> {
    let mut payments = Vec::with_capacity(outputs.len());
    let mut foreign = false;
    let mut total = Amount::ZERO;
    for (index, output) in outputs.iter().enumerate() {
        let at = |member: &str| format!("outputs[{index}].{member}");
        let address = Address::<NetworkUnchecked>::from_str(&output.address).map_err(|_| {
            let detail = "is no valid address: a character may be mistyped, or some are missing";
            fault(at("address"), format!("`{}` {detail}", output.address))
        })?;
        foreign |= !address.is_valid_for_network(network.to_bitcoin());
        let amount = Amount::from_sat(output.amount_sat);
        total = total
            .checked_add(amount)
            .filter(|t| *t <= Amount::MAX_MONEY)
            .ok_or_else(|| fault(at("amount_sat"), "the sum is more than 21 million BTC"))?;
        if amount == Amount::ZERO {
            return Err(fault(at("amount_sat"), "zero"));
        }
        if !is_reference(&output.reference) {
            return Err(fault(at("reference"), "not 1 to 128 printable ASCII characters"));
        }
        let script = address.assume_checked().script_pubkey();
        payments.push(Payment { script, amount, reference: output.reference.clone() });
    }
    let mut references: Vec<&str> = payments.iter().map(|p| p.reference.as_str()).collect();
    references.sort_unstable();
    if let Some(pair) = references.windows(2).find(|pair| pair.first() == pair.last()) {
        let twice = pair.first().copied().unwrap_or_default();
        return Err(fault("outputs", format!("reference `{twice}` stands there twice")));
    }
    Ok((payments, foreign))
}

impl Intent {
    /// Reads an envelope, checks its signature, and keeps nothing that was not checked. The envelope
    /// names the requester's key as `keyid`, in hex; whether it may ask is a rule's business.
    pub fn parse(envelope: &[u8]) -> Result<Self, IntentError> {
        if envelope.len() > ENVELOPE_BYTES_MAX {
            return Err(fault("envelope", format!("over {ENVELOPE_BYTES_MAX} bytes")));
        }
        let envelope: Envelope = from_json(envelope)?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(fault("payloadType", format!("is not `{PAYLOAD_TYPE}`")));
        }
        let payload = BASE64_STANDARD
            .decode(&envelope.payload)
            .map_err(|e| fault("payload", e.to_string()))?;
        let requester = check_signature(&envelope, &payload)?;
        let parsed: Payload = from_json(&payload)?;
        Self::from_payload(parsed, requester)
    }

    fn from_payload(parsed: Payload, requester: PublicKey) -> Result<Self, IntentError> {
        if parsed.version != 1 {
            return Err(fault("version", format!("{} is not understood", parsed.version)));
        }
        let network: Network = parsed.network.parse().map_err(|e: String| fault("network", e))?;
        if !is_uuid(&parsed.id) {
            return Err(fault("id", "is not a lower-case UUID"));
        }
        match (parsed.kind, parsed.outputs.len()) {
            (Kind::Pay, 1..=OUTPUTS_MAX) | (Kind::Consolidate | Kind::Refresh, 0) => {}
            (Kind::Pay, n) => {
                return Err(fault("outputs", format!("{n}, but 1 to {OUTPUTS_MAX} can be paid")));
            }
            (kind, _) => return Err(fault("outputs", format!("{} pays nobody", kind.name()))),
        }
        let (outputs, foreign_network) = parse_outputs(&parsed.outputs, network)?;
        let nonce = unhex(&parsed.nonce)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or_else(|| fault("nonce", "is not 32 bytes of lower-case hex"))?;
        if parsed.expires <= parsed.not_before {
            return Err(fault("expires", "is not after not_before"));
        }
        let max_fee = Amount::from_sat(parsed.max_fee_sat);
        if max_fee > Amount::MAX_MONEY {
            return Err(fault("max_fee_sat", "more than 21 million BTC"));
        }
        Ok(Self {
            kind: parsed.kind,
            vault_id: parsed.vault_id,
            network,
            id: parsed.id,
            outputs,
            max_fee,
            not_before: parsed.not_before,
            expires: parsed.expires,
            nonce,
            requester,
            foreign_network,
        })
    }

    /// What is asked for.
    pub const fn kind(&self) -> Kind {
        self.kind
    }
    /// The vault it is for.
    pub const fn vault_id(&self) -> &Digest {
        &self.vault_id
    }
    /// The network it is for.
    pub const fn network(&self) -> Network {
        self.network
    }
    /// Whether an address in it belongs to another network than it names.
    pub const fn has_foreign_address(&self) -> bool {
        self.foreign_network
    }
    /// The requester's own id of it.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// The payments, in the requester's order.
    pub fn outputs(&self) -> &[Payment] {
        &self.outputs
    }
    /// Sum of the payments.
    pub fn total(&self) -> Amount {
        // INVARIANT: checked against 21 million when parsed.
        self.outputs.iter().map(|p| p.amount).sum()
    }
    /// The highest fee that the requester accepts.
    pub const fn max_fee(&self) -> Amount {
        self.max_fee
    }
    /// From when it may be served.
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }
    /// Until when it may be served.
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }
    /// Who signed it.
    pub const fn requester(&self) -> &PublicKey {
        &self.requester
    }

    /// The intent digest: tag `intent` over all fields.
    pub fn digest(&self) -> Digest {
        let mut out = vec![1];
        self.kind.put(&mut out);
        self.vault_id.put(&mut out);
        self.network.put(&mut out);
        self.id.put(&mut out);
        self.outputs.put(&mut out);
        self.max_fee.put(&mut out);
        self.not_before.put(&mut out);
        self.expires.put(&mut out);
        self.nonce.put(&mut out);
        self.requester.put(&mut out);
        Tag::Intent.digest(&out)
    }
}

fn check_signature(envelope: &Envelope, payload: &[u8]) -> Result<PublicKey, IntentError> {
    let unsigned = |detail: &str| IntentError {
        at: "signatures".to_owned(),
        detail: detail.to_owned(),
        signature: true,
    };
    let [signature] = envelope.signatures.as_slice() else {
        return Err(unsigned("an intent bears exactly one signature"));
    };
    let key = PublicKey::parse(&signature.keyid).map_err(|e| fault("signatures[0].keyid", e))?;
    let raw = BASE64_STANDARD
        .decode(&signature.sig)
        .ok()
        .and_then(|raw| <[u8; 64]>::try_from(raw).ok())
        .ok_or_else(|| fault("signatures[0].sig", "is not 64 bytes of base64"))?;
    if key.verifies(&pre_authentication(payload), &KeySignature(raw)) {
        Ok(key)
    } else {
        Err(unsigned("does not verify over the payload"))
    }
}

/// Reads one JSON document; the error says line and column.
pub(crate) fn from_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, IntentError> {
    serde_json::from_slice(bytes)
        .map_err(|e| fault(format!("line {} column {}", e.line(), e.column()), e.to_string()))
}

/// What a requester fills in.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Pay, consolidate or refresh.
    pub kind: Kind,
    /// The vault.
    pub vault_id: Digest,
    /// Its network.
    pub network: Network,
    /// A fresh UUID.
    pub id: String,
    /// Address, satoshi and reference of each payment.
    pub outputs: Vec<(String, u64, String)>,
    /// The highest fee in satoshi.
    pub max_fee_sat: u64,
    /// From when.
    pub not_before: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// 32 fresh random bytes.
    pub nonce: [u8; 32],
}

impl Draft {
    /// Signs the draft; what comes out is read back before it is returned.
    pub fn sign(self, key: &SecretKey) -> Result<Vec<u8>, IntentError> {
        let payload = Payload {
            version: 1,
            kind: self.kind,
            vault_id: self.vault_id,
            network: self.network.name().to_owned(),
            id: self.id,
            outputs: self
                .outputs
                .into_iter()
                .map(|(address, amount_sat, reference)| PayloadOutput {
                    address,
                    amount_sat,
                    reference,
                })
                .collect(),
            max_fee_sat: self.max_fee_sat,
            not_before: self.not_before,
            expires: self.expires,
            nonce: hex(&self.nonce),
        };
        let payload = serde_json::to_vec(&payload).map_err(|e| fault("payload", e.to_string()))?;
        let signature = key.sign(&pre_authentication(&payload));
        let envelope = Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: BASE64_STANDARD.encode(&payload),
            signatures: vec![EnvelopeSignature {
                keyid: key.public().to_string(),
                sig: BASE64_STANDARD.encode(signature.0),
            }],
        };
        let bytes =
            serde_json::to_vec_pretty(&envelope).map_err(|e| fault("envelope", e.to_string()))?;
        Self::check(bytes)
    }

    fn check(bytes: Vec<u8>) -> Result<Vec<u8>, IntentError> {
        Intent::parse(&bytes).map(|_| bytes)
    }
}
