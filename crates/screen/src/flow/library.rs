//! Calls of libraries: what brings bytes in, decodes, keeps or runs them.

use super::engine::{Engine, PATH_LEN_MAX};
use super::fold;
use super::ir::{Name, Offset};
use super::known::{self, Deed, Sink};
use super::value::{Const, Source, Taint, Thing, Value};

/// A decoded constant that is shorter does nothing by itself.
const PAYLOAD_LEN_MIN: usize = 8;

/// A call of something of a library.
pub(super) struct Asked<'b> {
    pub(super) at: Offset,
    pub(super) path: &'b Name,
    pub(super) base: Option<&'b Value>,
    pub(super) args: &'b [Value],
    pub(super) named: &'b [(Name, Value)],
}

impl Asked<'_> {
    fn named(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(n, _)| &**n == name).map(|(_, v)| v)
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.args.iter().chain(self.named.iter().map(|(_, v)| v))
    }

    /// What says the endpoint: an argument, and what the client was made with where that names no host.
    fn endpoint(&self, place: usize) -> Value {
        let given = self.args.get(place).or_else(|| self.named("url")).cloned().unwrap_or_default();
        let is_known = given.texts().any(|t| has_host(&t))
            || given.things.iter().any(|t| matches!(t, Thing::Param(..)));
        if self.path.starts_with("http.client.") {
            // A connection is made with a bare host.
            let hosts = self.base.iter().flat_map(|b| b.texts()).map(|t| format!("https://{t}"));
            let consts = hosts.map(|host| Const::Text(host.into())).collect();
            return Value { consts, ..Value::default() };
        }
        let base = self.base.filter(|_| !is_known);
        base.map_or(given, |base| Value { taints: Vec::new(), things: Vec::new(), ..base.clone() })
    }
}

/// Whether a text names a host: `https://host/…`. Marks of what is unknown, and of formats, are none.
pub(super) fn has_host(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '@' | '[' | ']');
    !host.is_empty() && host.chars().all(is_host) && scheme.chars().all(char::is_alphanumeric)
}

impl Engine<'_> {
    pub(super) fn library(&mut self, asked: &Asked<'_>) -> Value {
        let made = || {
            let fits = asked.path.len() + 2 < PATH_LEN_MAX;
            if fits { Value::path(&format!("{}()", asked.path)) } else { Value::default() }
        };
        let Some(deed) = known::deed(asked.path) else { return self.unknown_call(asked) };
        match deed {
            Deed::Fetch(place) => {
                let sources = self.endpoints(&asked.endpoint(place));
                self.leaves(asked, &sources);
                let mut value = made();
                value.taints = self.fetched(asked, sources);
                value
            }
            Deed::FetchFile(place) => {
                let sources = self.endpoints(&asked.endpoint(place));
                let value = Value::tainted(self.fetched(asked, sources));
                if let Some(file) = asked.args.get(place + 1) {
                    self.write(file, &value);
                }
                value
            }
            Deed::Decode(coding) => self.decoded(asked, coding),
            Deed::Feed(sink) => {
                self.feed(asked, sink);
                let mut value = made();
                value.taints = asked.all().flat_map(|v| v.taints.clone()).collect();
                value
            }
            Deed::Open => {
                let mut value = made();
                let file = asked.args.first().or(asked.base);
                for text in file.iter().flat_map(|f| f.texts()) {
                    value.join(&Value::text(&text));
                    if let Some(kind) = known::secret_of_path(&text) {
                        let step = self.step(asked.at, format!("opens `{text}` ({kind})"));
                        value.taints.push(Taint::new(Source::Secret(kind), step));
                    }
                    if let Some(written) = self.files.get(&*text) {
                        value.join(&Value::tainted(written.taints.clone()));
                    }
                }
                value
            }
            Deed::JoinPath => {
                let slash = Value::text("/");
                let parts: Vec<Value> = asked
                    .args
                    .iter()
                    .enumerate()
                    .flat_map(|(nth, arg)| {
                        (nth > 0).then(|| slash.clone()).into_iter().chain([arg.clone()])
                    })
                    .collect();
                self.joined(&parts)
            }
            Deed::Keep => {
                let mut value = asked.args.first().cloned().unwrap_or_default();
                if let Some(config) = self.config(asked) {
                    value.join(&config);
                }
                value.join(&made());
                value
            }
            Deed::Characters => {
                let number = asked.args.first().and_then(|a| a.only());
                match number {
                    Some(Const::Number(n)) => u32::try_from(*n)
                        .ok()
                        .and_then(char::from_u32)
                        .map_or_else(Value::default, |c| Value::text(&c.to_string())),
                    _ => Value::default(),
                }
            }
            Deed::Import => {
                let mut value = Value::default();
                for text in asked.args.first().iter().flat_map(|a| a.texts()) {
                    value.join(&self.imported(&Name::from(&*text)));
                }
                let given = asked.args.first().map(|a| self.taints(a)).unwrap_or_default();
                for taint in self.origins(given) {
                    if matches!(taint.source, Source::Secret(_)) {
                        continue;
                    }
                    self.hit(
                        asked.at,
                        Some(Sink::Interpreter),
                        &taint,
                        None,
                        "imports it".to_owned(),
                    );
                }
                value
            }
            Deed::Member => {
                let (Some(base), Some(name)) = (asked.args.first(), asked.args.get(1)) else {
                    return Value::default();
                };
                let names: Vec<Name> = name.texts().map(|t| Name::from(&*t)).collect();
                let mut value = Value::default();
                for name in names {
                    let member = self.member(base, &name);
                    value.join(&member);
                }
                value
            }
            Deed::Forget => Value::default(),
        }
    }

    /// Something that is not known keeps what went in; methods of texts and files are told by their names.
    fn unknown_call(&mut self, asked: &Asked<'_>) -> Value {
        let method = asked.path.rsplit('.').next().unwrap_or_default();
        let base = asked.base.cloned().unwrap_or_default();
        let mut value = Value::default();
        match method {
            "write" | "write_bytes" | "write_text" | "writelines" => {
                let given: Vec<Taint> = asked.args.iter().flat_map(|a| self.taints(a)).collect();
                self.write(&base, &Value::tainted(given));
            }
            "join" if !base.consts.is_empty() => {
                let items = asked.args.first().cloned().unwrap_or_default();
                value = self.join_items(&base, &items);
            }
            "decode" | "encode" | "strip" | "lower" | "upper" | "lstrip" | "rstrip"
                if !base.consts.is_empty() =>
            {
                let rot13 =
                    asked.args.first().is_some_and(|a| a.texts().any(|t| t.contains("rot")));
                value.consts = match rot13 {
                    true => base
                        .consts
                        .iter()
                        .filter_map(|c| fold::decode(fold::Coding::Rot13, c))
                        .collect(),
                    false => base.consts.clone(),
                };
            }
            "decode" if asked.path.starts_with("codecs.") => {
                let rot13 = asked.args.get(1).is_some_and(|a| a.texts().any(|t| t.contains("rot")));
                let coding = if rot13 { fold::Coding::Rot13 } else { fold::Coding::Base64 };
                return self.decoded(asked, coding);
            }
            "format" if !base.consts.is_empty() => {
                value.join(&Value { things: Vec::new(), ..base.clone() });
            }
            "append" | "extend" | "add" | "update" | "insert" => {
                for arg in asked.args {
                    self.set_member(&base, &"[]".into(), arg);
                }
            }
            "get" | "setdefault" | "pop"
                if !base.taints.is_empty() || asked.path.contains("environ") =>
            {
                // A default is a constant like any other.
                if let Some(default) = asked.args.get(1) {
                    value.join(default);
                }
            }
            _ => {}
        }
        for arg in asked.all() {
            value.join(&Value::tainted(self.taints(arg)));
        }
        value.join(&Value::tainted(base.taints));
        if asked.path.len() + 2 < PATH_LEN_MAX && !asked.path.starts_with("str.") {
            let mut made = Value::path(&format!("{}()", asked.path));
            // What a client or a path was made with stays with it.
            for arg in asked.all() {
                made.consts.extend(arg.consts.iter().filter(|c| c.text().is_some()).cloned());
            }
            made.consts.truncate(4);
            value.join(&made);
        }
        value
    }

    fn join_items(&mut self, between: &Value, items: &Value) -> Value {
        let mut parts = Vec::new();
        for thing in &items.things {
            let Thing::Object(number) = thing else { continue };
            let fields = self.objects.get(*number).cloned().unwrap_or_default();
            let mut places: Vec<(usize, Value)> =
                fields.into_iter().filter_map(|(k, v)| Some((k.parse().ok()?, v))).collect();
            places.sort_by_key(|(at, _)| *at);
            for (nth, (_, item)) in places.into_iter().enumerate() {
                if nth > 0 {
                    parts.push(between.clone());
                }
                parts.push(item);
            }
        }
        self.joined(&parts)
    }

    fn write(&mut self, file: &Value, value: &Value) {
        for text in file.texts().map(|t| t.into_owned()).collect::<Vec<_>>() {
            self.grown |= self.files.entry(text).or_default().join(value);
        }
    }

    fn decoded(&mut self, asked: &Asked<'_>, coding: fold::Coding) -> Value {
        let Some(from) = asked.args.first() else { return Value::default() };
        let mut value = Value::tainted(from.taints.clone());
        value.consts = from.consts.iter().filter_map(|c| fold::decode(coding, c)).collect();
        let is_payload = |c: &Const| c.text().is_none_or(|t| t.len() >= PAYLOAD_LEN_MIN);
        if value.consts.iter().any(is_payload) {
            let step = self.step(asked.at, format!("`{}` decodes a constant", asked.path));
            value.join(&Value::tainted(vec![Taint::new(Source::Decoded, step)]));
        }
        value
    }

    /// Bytes arrive at what runs them.
    fn feed(&mut self, asked: &Asked<'_>, sink: Sink) {
        if sink == Sink::Deserialiser {
            let loader = asked.named("Loader").or_else(|| asked.args.get(1));
            if asked.path.starts_with("yaml.")
                && loader.is_some_and(|l| l.paths().any(known::is_safe_loader))
            {
                return;
            }
            let weights_only = asked.named("weights_only");
            if weights_only.is_some_and(|v| v.only() == Some(&Const::Number(1))) {
                return;
            }
        }
        let given: Vec<Taint> = match sink {
            Sink::Shell => asked.all().flat_map(|a| self.taints(a)).collect(),
            _ => asked
                .args
                .first()
                .or_else(|| asked.all().next())
                .map(|a| self.taints(a))
                .unwrap_or_default(),
        };
        for taint in self.origins(given) {
            if !matches!(taint.source, Source::Secret(_)) {
                self.hit(
                    asked.at,
                    Some(sink),
                    &taint,
                    None,
                    format!("`{}` runs what it says", asked.path),
                );
            }
        }
    }

    /// What a request brings in.
    fn fetched(&self, asked: &Asked<'_>, sources: Vec<Source>) -> Vec<Taint> {
        let step = self.step(asked.at, format!("`{}` fetches", asked.path));
        sources.into_iter().map(|source| Taint::new(source, step.clone())).collect()
    }

    /// Secrets that leave with a request.
    fn leaves(&mut self, asked: &Asked<'_>, sources: &[Source]) {
        let given: Vec<Taint> = asked.all().flat_map(|a| self.taints(a)).collect();
        let endpoint = sources.iter().find_map(|s| match s {
            Source::Network(endpoint) => endpoint.clone(),
            Source::NetworkOf(m, s, n) => {
                let given = self.given.get(&(*m, *s, *n))?;
                given.texts().find(|t| has_host(t)).map(|t| Name::from(&*t))
            }
            _ => None,
        });
        for taint in self.origins(given) {
            if matches!(taint.source, Source::Secret(_)) {
                let what = format!("`{}` sends it to {}", asked.path, shown(endpoint.as_ref()));
                self.hit(asked.at, None, &taint, endpoint.clone(), what);
            }
        }
    }

    /// What a program reads from a configuration file of the tree.
    fn config(&mut self, asked: &Asked<'_>) -> Option<Value> {
        if !matches!(&**asked.path, "json.load" | "json.loads") {
            return None;
        }
        let texts = self.texts(asked.args.first()?);
        let json = texts.iter().find_map(|text| {
            let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
            self.project.configs.iter().find(|(path, _)| path.rsplit('/').next() == Some(name))
        });
        let (_, json) = json?;
        Some(self.json(asked.at, json, 0))
    }

    fn json(&mut self, at: Offset, json: &serde_json::Value, depth: u32) -> Value {
        use serde_json::Value as Json;
        match json {
            Json::String(text) => Value::text(text),
            Json::Number(number) => {
                number.as_i64().map_or_else(Value::default, |n| Value::constant(Const::Number(n)))
            }
            Json::Array(_) | Json::Object(_) if depth < 8 => {
                // Objects of a file are told apart by their depth and order only as far as their keys differ.
                let number =
                    self.object(u32::MAX - at.wrapping_mul(16).wrapping_add(depth) % (1 << 30));
                let object = Value::thing(Thing::Object(number));
                let pairs: Vec<(Name, &Json)> = match json {
                    Json::Array(items) => {
                        items.iter().enumerate().map(|(n, v)| (n.to_string().into(), v)).collect()
                    }
                    Json::Object(map) => map.iter().map(|(k, v)| (k.as_str().into(), v)).collect(),
                    _ => Vec::new(),
                };
                for (key, inner) in pairs {
                    let value = self.json(at, inner, depth + 1);
                    self.set_member(&object, &key, &value);
                }
                object
            }
            _ => Value::default(),
        }
    }
}

pub(super) fn shown(endpoint: Option<&Name>) -> String {
    endpoint.map_or_else(|| "an endpoint given from outside".to_owned(), |e| format!("`{e}`"))
}
