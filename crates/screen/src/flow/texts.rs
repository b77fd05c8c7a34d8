//! Methods of constant texts: what they make of them is a constant again, as far as it can be told.

use super::engine::Engine;
use super::fold::{self, Coding};
use super::library::{Asked, PARTS_MAX};
use super::value::{Const, Source, Taint, Thing, Value};

impl Engine<'_> {
    /// Methods of constant texts.
    pub(super) fn text_method(&mut self, asked: &Asked<'_>, base: &Value, method: &str) -> Value {
        let mut value = Value::default();
        let arg = |nth: usize| asked.args.get(nth);
        let text_of = |nth: usize| arg(nth).and_then(|a| a.texts().next().map(|t| t.into_owned()));
        let number_of = |nth: usize| match arg(nth).and_then(|a| a.only()) {
            Some(Const::Number(n)) => Some(*n),
            _ => None,
        };
        let mut each = |change: &dyn Fn(&str) -> Option<String>| {
            let texts = base.texts().filter_map(|t| change(&t));
            texts.for_each(|t| {
                value.join(&Value::text(&t));
            });
        };
        match method {
            "join" => {
                let items = arg(0).cloned().unwrap_or_default();
                value = self.join_items(base, &items);
            }
            "decode" | "encode" => {
                let rot13 = arg(0).is_some_and(|a| a.texts().any(|t| t.contains("rot")));
                let decoded = |c: &Const| {
                    if rot13 { fold::decode(Coding::Rot13, c) } else { Some(c.clone()) }
                };
                value.consts = base.consts.iter().filter_map(decoded).collect();
            }
            "strip" | "lstrip" | "rstrip" if arg(0).is_some() => match text_of(0) {
                Some(ends) => each(&|t| Some(t.trim_matches(|c| ends.contains(c)).to_owned())),
                None => value = self.pieces([base]),
            },
            "translate" => {
                value = Value::tainted(self.pieces([base]).taints);
                if !value.taints.is_empty() {
                    let step = self.step(asked.at, "changes the letters of a constant".to_owned());
                    value.join(&Value::taint(Taint::new(Source::Decoded, step)));
                }
            }
            "toString" | "strip" | "lstrip" | "rstrip" | "trim" | "trimEnd" | "trimStart"
            | "normalize" | "valueOf" | "title" | "casefold" | "expandtabs" | "then" => {
                value.consts = base.consts.clone()
            }
            "lower" | "toLowerCase" => each(&|t| Some(t.to_lowercase())),
            "upper" | "toUpperCase" => each(&|t| Some(t.to_uppercase())),
            "replace" | "replaceAll" => match (text_of(0), text_of(1)) {
                (Some(from), Some(to)) if !from.is_empty() => each(&|t| {
                    let all = t.replace(&from, &to);
                    (all.len() <= fold::LEN_MAX).then_some(all)
                }),
                _ => value = self.pieces([base]),
            },
            "slice" | "substring" | "substr" => {
                let (from, to) = (number_of(0), number_of(1));
                each(&|t| {
                    let all: Vec<char> = t.chars().collect();
                    let len = i64::try_from(all.len()).ok()?;
                    let place = |n: i64| {
                        usize::try_from(if n < 0 { len + n } else { n }.clamp(0, len)).ok()
                    };
                    let first = place(from?)?;
                    let last = match (to, arg(1)) {
                        (Some(to), _) if method == "substr" => (first + place(to)?).min(all.len()),
                        (Some(to), _) => place(to)?,
                        (None, None) => all.len(),
                        (None, Some(_)) => return None,
                    };
                    all.get(first..last).map(|part| part.iter().collect())
                });
                value.join(&self.pieces([base]));
            }
            "concat" => {
                let parts: Vec<Value> =
                    [base.clone()].into_iter().chain(asked.args.iter().cloned()).collect();
                value = self.joined(&parts);
            }
            "split" | "rsplit" | "splitlines" | "partition" => {
                let between = text_of(0);
                let number = self.object(asked.at);
                let object = Value::thing(Thing::Object(number));
                if let Some(text) = base.only().and_then(Const::text) {
                    let parts: Vec<String> = match between.as_deref() {
                        Some("") => text.chars().map(String::from).collect(),
                        Some(between) => text.split(between).map(str::to_owned).collect(),
                        None => text.split_whitespace().map(str::to_owned).collect(),
                    };
                    for (nth, part) in parts.into_iter().take(PARTS_MAX).enumerate() {
                        self.set_member(&object, &nth.to_string().into(), &Value::text(&part));
                    }
                }
                let pieces = self.pieces([base]);
                self.set_member(&object, &"[]".into(), &pieces);
                value = object;
            }
            "format" => {
                let texts: Vec<String> = base.texts().take(8).map(|t| t.into_owned()).collect();
                for text in texts {
                    let filled = self.filled(&text, asked);
                    value.join(&filled);
                }
            }
            "charCodeAt" | "codePointAt" => {
                let nth = usize::try_from(number_of(0).unwrap_or(0)).unwrap_or(usize::MAX);
                let code = base.only().and_then(Const::text).and_then(|t| t.chars().nth(nth));
                value = match code.filter(|_| arg(0).is_none_or(|a| a.only().is_some())) {
                    Some(c) => Value::constant(Const::Number(i64::from(u32::from(c)))),
                    None => self.pieces([base]),
                };
            }
            "match" | "charAt" | "at" | "map" | "removeprefix" | "removesuffix" | "matchAll"
            | "swapcase" | "padStart" | "repeat" => value = self.pieces([base]),
            "find" | "startswith" | "endswith" | "includes" | "indexOf" | "startsWith"
            | "endsWith" | "test" | "isdigit" | "count" | "index" | "localeCompare" => {
                return Value::default();
            }
            _ => {}
        }
        value
    }

    /// A text with `{}`, `{0}` or `{name}`, and what is put there.
    fn filled(&mut self, text: &str, asked: &Asked<'_>) -> Value {
        let (mut parts, mut rest, mut next) = (Vec::new(), text, 0);
        while let Some((before, after)) = rest.split_once('{') {
            parts.push(Value::text(before));
            if let Some(escaped) = after.strip_prefix('{') {
                parts.push(Value::text("{"));
                rest = escaped;
                continue;
            }
            let Some((field, tail)) = after.split_once('}') else { break };
            let name = field.split([':', '!', '.', '[']).next().unwrap_or_default();
            let given = match name.parse::<usize>() {
                _ if name.is_empty() => {
                    next += 1;
                    asked.args.get(next - 1)
                }
                Ok(nth) => asked.args.get(nth),
                Err(_) => asked.named(name),
            };
            parts.push(given.cloned().unwrap_or_default());
            rest = tail;
        }
        parts.push(Value::text(&rest.replace("}}", "}")));
        self.joined(&parts)
    }
}
