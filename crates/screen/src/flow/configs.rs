//! Files of the tree that configure a program: what it reads there is known.

use super::engine::Engine;
use super::ir::{Name, Offset};
use super::library::{Asked, objects};
use super::value::{Const, Thing, Value};

impl Engine<'_> {
    /// What a program reads from a configuration file of the tree.
    pub(super) fn config(&mut self, asked: &Asked<'_>) -> Option<Value> {
        const READERS: [&str; 24] = [
            "json.load",
            "json.loads",
            "JSON.parse",
            "yaml.safe_load",
            "yaml.load",
            "yaml.full_load",
            "toml.load",
            "toml.loads",
            "tomllib.load",
            "tomllib.loads",
            "tomli.load",
            "tomli.loads",
            "js-yaml.load",
            "js-yaml.safeLoad",
            "yaml.parse",
            "toml.parse",
            "ini.parse",
            "fs-extra.readJson",
            "fs-extra.readJsonSync",
            "fs-extra.readJSONSync",
            "configparser.ConfigParser().read",
            "ujson.load",
            "orjson.loads",
            "dotenv.dotenv_values",
        ];
        if !READERS.contains(&&**asked.path) {
            return None;
        }
        let texts = self.texts(asked.args.first()?);
        let json = texts.iter().find_map(|text| {
            let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
            self.project.configs.iter().find(|(path, _)| path.rsplit('/').next() == Some(name))
        });
        let (_, json) = json?;
        let value = self.json(asked.at, json, 0);
        if asked.path.ends_with(".read") {
            // Sections are members of the reader itself.
            for number in objects(&value).collect::<Vec<_>>() {
                let fields = self.object_of(number).cloned().unwrap_or_default();
                for (section, field) in fields.iter() {
                    let path = format!("configparser.ConfigParser().{section}").into();
                    self.patch(path, field);
                }
            }
        }
        Some(value)
    }

    /// A file of data that is imported.
    pub(super) fn json_of(&mut self, path: &str, json: &serde_json::Value) -> Value {
        let at =
            path.bytes().fold(7_u32, |hash, b| hash.wrapping_mul(31).wrapping_add(u32::from(b)));
        self.json(at, json, 0)
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
