//! Notebooks: cells of code in JSON (nbformat 4, section "Code cells"), read as one file of Python.

use serde_json::Value;

/// The code of a notebook, and where each cell of it stands: offset in the code, offset in the file. `None` where it is no
/// notebook of Python.
#[must_use]
pub fn code(text: &str) -> Option<(String, Vec<(u32, u32)>)> {
    let json: Value = serde_json::from_str(text).ok()?;
    let language = json
        .pointer("/metadata/kernelspec/language")
        .or_else(|| json.pointer("/metadata/language_info/name"))
        .and_then(Value::as_str);
    if language.is_some_and(|l| !l.to_lowercase().contains("python")) {
        return None;
    }
    let cells = json.get("cells").or_else(|| json.pointer("/worksheets/0/cells"))?.as_array()?;
    let (mut code, mut places, mut from) = (String::new(), Vec::new(), 0);
    for cell in cells {
        if cell.get("cell_type").and_then(Value::as_str) != Some("code") {
            continue;
        }
        let source = match cell.get("source").or_else(|| cell.get("input")) {
            Some(Value::String(source)) => source.clone(),
            Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
            _ => continue,
        };
        let mut lines = source.lines();
        let first = lines.clone().find(|l| !l.trim().is_empty()).unwrap_or_default().trim();
        let shell = first.starts_with("%%bash")
            || first.starts_with("%%sh")
            || first.starts_with("%%script");
        if shell {
            // A cell of a shell.
            let body: Vec<&str> =
                lines.by_ref().skip_while(|l| !l.trim().starts_with("%%")).skip(1).collect();
            push(
                &mut code,
                &format!("get_ipython().system({})", quoted(&body.join("\n"))),
                text,
                first,
                &mut from,
                &mut places,
            );
            continue;
        }
        for line in source.lines() {
            let plain = line.trim_start();
            let blanks = line.get(..line.len() - plain.len()).unwrap_or_default();
            let line = if let Some(command) = plain.strip_prefix('!') {
                // A line of a shell.
                format!("{blanks}get_ipython().system({})", quoted(command.trim_start_matches('!')))
            } else if let Some((name, command)) =
                plain.split_once("= !").or_else(|| plain.split_once("=!"))
            {
                format!("{blanks}{name} = get_ipython().system({})", quoted(command))
            } else if let Some(command) =
                plain.strip_prefix("%sx ").or_else(|| plain.strip_prefix("%system "))
            {
                format!("{blanks}get_ipython().system({})", quoted(command))
            } else if let Some(magic) = plain.strip_prefix('%') {
                match magic.strip_prefix("run ").or_else(|| magic.strip_prefix("load ")) {
                    Some(file) => format!(
                        "{blanks}get_ipython().system({})",
                        quoted(&format!("python3 {file}"))
                    ),
                    None => match magic.trim_start_matches('%').split_once("pip ") {
                        Some((_, rest)) => format!(
                            "{blanks}get_ipython().system({})",
                            quoted(&format!("pip {rest}"))
                        ),
                        None => format!("{blanks}pass"),
                    },
                }
            } else {
                line.trim_end_matches('?').to_owned()
            };
            push(&mut code, &line, text, plain, &mut from, &mut places);
        }
    }
    Some((code, places))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Adds a line, and where it stands in the file.
fn push(
    code: &mut String,
    line: &str,
    text: &str,
    plain: &str,
    from: &mut usize,
    places: &mut Vec<(u32, u32)>,
) {
    let wanted = quoted(plain);
    let wanted = wanted.trim_matches('"');
    if !wanted.is_empty()
        && let Some(found) = text.get(*from..).and_then(|rest| rest.find(wanted))
    {
        *from += found;
        let place = (code.len(), *from);
        if let (Ok(here), Ok(there)) = (u32::try_from(place.0), u32::try_from(place.1)) {
            places.push((here, there));
        }
    }
    code.push_str(line);
    code.push('\n');
}
