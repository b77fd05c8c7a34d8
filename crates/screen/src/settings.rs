//! Files that configure programs, whatever their language, as one kind of value.

use crate::assemble::Configs;
use crate::tree::{File, Missed};

/// A file of settings is read up to this size.
const CONFIG_LEN_MAX: usize = 1 << 20;

/// What a program reads from the tree, as far as it says something.
pub fn config(file: &File, configs: &mut Configs, missed: &mut Vec<Missed>) {
    let name = file.name();
    let extension = name.rsplit_once('.').map_or("", |(_, e)| e);
    let is_env = name.starts_with(".env") || name.ends_with(".env");
    if !is_env
        && !matches!(
            extension,
            "json"
                | "json5"
                | "jsonc"
                | "yaml"
                | "yml"
                | "toml"
                | "ini"
                | "cfg"
                | "conf"
                | "properties"
        )
    {
        return;
    }
    if file.bytes.len() > CONFIG_LEN_MAX {
        // What a program reads there would not be known.
        missed.push(Missed { file: file.path.clone(), reason: "over a limit".to_owned() });
        return;
    }
    let text = file.text();
    let text = text.trim_start_matches('\u{feff}');
    let found = match extension {
        _ if is_env => Some(lines(text, false)),
        "json" | "json5" | "jsonc" => serde_json::from_str(text).ok(),
        "yaml" | "yml" => serde_saphyr::from_str(text).ok(),
        "toml" => toml::from_str(text).ok(),
        _ => Some(lines(text, true)),
    };
    if let Some(json) = found {
        configs.insert(file.path.clone(), json);
    }
}

/// Settings a line each, in sections where there are some.
fn lines(text: &str, sections: bool) -> serde_json::Value {
    use serde_json::{Map, Value};
    let (mut all, mut section) = (Map::new(), None::<String>);
    for line in text.lines() {
        let line = line.trim().trim_start_matches("export ");
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) =
            line.strip_prefix('[').and_then(|l| l.strip_suffix(']')).filter(|_| sections)
        {
            section = Some(name.to_owned());
            continue;
        }
        let Some((key, value)) =
            line.split_once('=').or_else(|| line.split_once(':').filter(|_| sections))
        else {
            continue;
        };
        let value = value.trim();
        let value = value.trim_matches('"').trim_matches('\'');
        let value = Value::from(value);
        match &section {
            Some(name) => {
                let inner = all.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(inner) = inner {
                    inner.insert(key.trim().to_owned(), value);
                }
            }
            None => {
                all.insert(key.trim().to_owned(), value);
            }
        }
    }
    Value::Object(all)
}
