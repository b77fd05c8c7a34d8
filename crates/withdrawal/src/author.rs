//! What people's own machines sign: approvals and changes, and passkeys in files for trials.

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bitcoin::hashes::{Hash as _, sha256};
use ring::rand::SecureRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use zeroize::Zeroizing;

use crate::approval::{Approval, ChainHeads, Decision, Statement};
use crate::assertion::{Algorithm, Assertion};
use crate::change::ChangeSignature;
use crate::digest::Digest;
use crate::keys::SecretKey;
use crate::person::{Enrolment, Passkey, Person};
use crate::time::Timestamp;

/// A passkey in a file (ES256): for trials and drills only, and marked so wherever it is enrolled.
pub struct SoftwarePasskey {
    pkcs8: Zeroizing<Vec<u8>>,
    pair: EcdsaKeyPair,
    public: Passkey,
}

impl fmt::Debug for SoftwarePasskey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SoftwarePasskey")
    }
}

/// The relying party that trial passkeys are bound to.
pub const TRIAL_RP_ID: &str = "localhost";
/// The origin that trial passkeys answer.
pub const TRIAL_ORIGIN: &str = "http://localhost:7878";

impl SoftwarePasskey {
    /// Makes a new one; `None` if the random source fails.
    pub fn generate(random: &dyn SecureRandom) -> Option<Self> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, random).ok()?;
        let mut credential_id = vec![0; 32];
        random.fill(&mut credential_id).ok()?;
        Self::from_parts(document.as_ref(), credential_id, random)
    }

    /// Reads one back from its file's parts.
    pub fn from_parts(
        pkcs8: &[u8],
        credential_id: Vec<u8>,
        random: &dyn SecureRandom,
    ) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, random).ok()?;
        let public = Passkey {
            credential_id,
            algorithm: Algorithm::Es256,
            public_key: pair.public_key().as_ref().to_vec(),
            rp_id: TRIAL_RP_ID.to_owned(),
            origins: vec![TRIAL_ORIGIN.to_owned()],
            backup_eligible: false,
            software: true,
        };
        Some(Self { pkcs8: Zeroizing::new(pkcs8.to_vec()), pair, public })
    }

    /// Makes it one that can be synced to other devices, before it is enrolled.
    pub const fn set_synced(&mut self) {
        self.public.backup_eligible = true;
    }

    /// The public part, as it is enrolled.
    pub const fn public(&self) -> &Passkey {
        &self.public
    }

    /// The secret part, for the file.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Signs a challenge as an authenticator with its user verified would.
    pub fn sign(&self, challenge: &Digest, random: &dyn SecureRandom) -> Option<Assertion> {
        let client_data_json = client_data("webauthn.get", challenge, TRIAL_ORIGIN);
        // UP and UV; BE and BS as well where it can be synced (WebAuthn 6.1).
        let flags = if self.public.backup_eligible { 0x1d } else { 0x05 };
        self.sign_raw(flags, client_data_json, random)
    }

    /// Signs given flags and client data: what a test or drill wants to see refused.
    pub fn sign_raw(
        &self,
        flags: u8,
        client_data_json: Vec<u8>,
        random: &dyn SecureRandom,
    ) -> Option<Assertion> {
        let mut authenticator_data =
            sha256::Hash::hash(self.public.rp_id.as_bytes()).to_byte_array().to_vec();
        authenticator_data.push(flags);
        authenticator_data.extend(0u32.to_be_bytes());
        let mut message = authenticator_data.clone();
        message.extend(sha256::Hash::hash(&client_data_json).to_byte_array());
        let signature = self.pair.sign(random, &message).ok()?.as_ref().to_vec();
        Some(Assertion { authenticator_data, client_data_json, signature })
    }
}

/// Client data as browsers write it (WebAuthn 5.8.1.1).
pub fn client_data(kind: &str, challenge: &Digest, origin: &str) -> Vec<u8> {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(challenge.0);
    format!(
        "{{\"type\":\"{kind}\",\"challenge\":\"{challenge}\",\"origin\":\"{origin}\",\"crossOrigin\":false}}"
    )
    .into_bytes()
}

/// A person's two keys, on the person's own machine.
pub struct Signatory<'a> {
    /// The person's name in the roster.
    pub person: &'a str,
    /// The passkey.
    pub passkey: &'a SoftwarePasskey,
    /// The review key.
    pub review: &'a SecretKey,
}

/// What an approval is about, as the approver's own machine read it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The vault.
    pub vault_id: Digest,
    /// The transaction in it.
    pub spend_digest: Digest,
    /// The chain heads seen.
    pub heads: ChainHeads,
    /// Until when the approval may be used.
    pub not_after: Timestamp,
}

impl Signatory<'_> {
    /// Makes an enrolment record of a person with these keys.
    pub fn enrol(&self, person: Person, random: &dyn SecureRandom) -> Option<Enrolment> {
        let digest = Enrolment::digest(&person);
        let assertion = self.passkey.sign(&digest, random)?;
        Some(Enrolment { review: self.review.sign_digest(&digest), assertion, person })
    }

    /// Approves or rejects: the passkey first, its challenge checked, then the review key.
    pub fn decide(
        &self,
        subject: &Subject,
        decision: Decision,
        random: &dyn SecureRandom,
    ) -> Option<Approval> {
        let statement = Statement {
            spend_digest: subject.spend_digest,
            vault_id: subject.vault_id,
            person: self.person.to_owned(),
            credential_id: self.passkey.public().credential_id.clone(),
            review_key: self.review.public(),
            decision,
            heads: subject.heads,
            not_after: subject.not_after,
        };
        let digest = statement.digest();
        let assertion = self.passkey.sign(&digest, random)?;
        assertion.verify(self.passkey.public(), &digest).ok()?;
        let review = self.review.sign_digest(&statement.review_digest());
        Some(Approval {
            vault_id: subject.vault_id,
            person: self.person.to_owned(),
            decision,
            spend_digest: subject.spend_digest,
            heads: subject.heads,
            not_after: subject.not_after,
            passkey: Some((statement.credential_id, assertion)),
            review: Some((self.review.public().id(), review)),
        })
    }

    /// Signs a change, or a succession, by its two digests.
    pub fn sign_change(
        &self,
        digest: &Digest,
        review_digest: &Digest,
        random: &dyn SecureRandom,
    ) -> Option<ChangeSignature> {
        let assertion = self.passkey.sign(digest, random)?;
        assertion.verify(self.passkey.public(), digest).ok()?;
        let review = self.review.sign_digest(review_digest);
        Some(ChangeSignature { person: self.person.to_owned(), assertion, review })
    }
}
