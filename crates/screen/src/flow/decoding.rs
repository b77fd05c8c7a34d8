//! What takes an encoding or an encryption off.

use super::engine::Engine;
use super::fold::{self, Coding};
use super::library::{Asked, PAYLOAD_LEN_MIN};
use super::value::{Const, Source, Taint, Value};

impl Engine<'_> {
    pub(super) fn decoded(&mut self, asked: &Asked<'_>, coding: Coding) -> Value {
        let Some(from) = asked.args.first() else { return Value::default() };
        let mut value = Value::tainted(self.taints(from));
        value.consts = from.consts.iter().filter_map(|c| fold::decode(coding, c)).collect();
        let is_payload = |c: &Const| c.text().is_none_or(|t| t.len() >= PAYLOAD_LEN_MIN);
        let is_long = |c: &Const| c.text().is_none_or(|t| t.len() > 2 * PAYLOAD_LEN_MIN);
        let unfolded =
            matches!(coding, Coding::Base85 | Coding::Other | Coding::Zlib | Coding::Gzip);
        let fetched = |t: &Taint| matches!(t.source, Source::Network(_) | Source::NetworkOf(..));
        let is_fetched = self.origins(value.taints.clone()).iter().any(fetched);
        let unfolded = unfolded && !is_fetched;
        let made = !is_fetched && self.is_made(&value);
        // A path or a name that is written with `%` is no payload.
        let hides =
            coding != Coding::Percent || from.texts().any(|t| t.matches('%').count() * 6 > t.len());
        if hides
            && (value.consts.iter().any(is_payload)
                || unfolded && from.consts.iter().any(is_long)
                || made)
        {
            let step = self.step(asked.at, format!("`{}` decodes a constant", asked.path));
            value.join(&Value::taint(Taint::new(Source::Decoded, step)));
        }
        if coding == Coding::Percent && value.consts.is_empty() {
            value.consts = from.consts.clone();
        }
        value
    }

    /// Decodes as the second argument says; without one the bytes stay what they are.
    pub(super) fn decoded_as(&mut self, asked: &Asked<'_>) -> Value {
        let names: Vec<String> =
            asked.args.get(1).iter().flat_map(|a| a.texts().map(|t| t.into_owned())).collect();
        let mut value = Value::default();
        for name in &names {
            let coding = match name.to_lowercase().as_str() {
                "base64" | "base64url" | "base64_codec" => Some(Coding::Base64),
                "hex" | "hex_codec" => Some(Coding::Hex),
                "zlib" | "zlib_codec" | "zip" => Some(Coding::Zlib),
                "rot13" | "rot_13" | "rot-13" => Some(Coding::Rot13),
                "bz2" | "bz2_codec" => Some(Coding::Other),
                _ => None,
            };
            if let Some(coding) = coding {
                value.join(&self.decoded(asked, coding));
            }
        }
        if value == Value::default() {
            value = asked.args.first().cloned().unwrap_or_default();
            let numbers = asked.args.first().cloned().unwrap_or_default();
            value.join(&self.of_numbers(asked.at, &numbers));
        }
        value
    }

    pub(super) fn decrypted(&mut self, asked: &Asked<'_>) -> Value {
        let mut value = Value::default();
        for arg in asked.all().chain(asked.base) {
            value.join(&Value::tainted(self.taints(arg)));
            value.join(&self.pieces([arg]));
        }
        if self.is_made(&value) {
            let step = self.step(asked.at, format!("`{}` decrypts a constant", asked.path));
            value.join(&Value::taint(Taint::new(Source::Decoded, step)));
        }
        if asked.path.len() + 2 < super::engine::PATH_LEN_MAX {
            value.join(&Value::path(&format!("{}()", asked.path)));
        }
        value
    }
}
