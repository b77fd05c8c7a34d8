//! What is odd as it stands: files that are not what their names say, characters that hide, lock files that lead away,
//! code made unreadable, endpoints unlike their siblings, things that stay after the test.

mod characters;
mod endpoints;
mod locks;
mod obfuscation;
mod persistence;
mod words;

use crate::autorun::Seen;
use crate::code::is_text;
use crate::command;
use crate::finding::{Confidence, Fires, Severity};
use crate::nature::{Nature, nature};
use crate::rules;
use crate::tree::{File, Tree};
use crate::waves::{Id, Waves};

/// Looks at a tree, and at what its code does.
#[must_use]
pub fn look(tree: &Tree, waves: &Waves) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (number, file) in tree.files.iter().enumerate() {
        let nature = nature(file);
        match nature {
            Nature::Native => seen.push(Seen {
                rule: &rules::native_program::RULE,
                file: number,
                at: 0,
                severity: Severity::Note,
                confidence: Confidence::High,
                fires: Fires::Run,
                what: "a program or library of the machine, of the type that its name says"
                    .to_owned(),
            }),
            Nature::Unread(_) => mismatch(&mut seen, number, file),
            _ => {}
        }
        if is_code(&nature) || runs_commands(file) {
            characters::look(&mut seen, number, file);
        }
        obfuscation::look(&mut seen, number, file, &nature);
        locks::look(&mut seen, number, file);
        words::look(&mut seen, number, file);
    }
    endpoints::look(&mut seen, tree, waves);
    persistence::look(&mut seen, tree, waves);
    build_code(&mut seen, tree, waves);
    soften(&mut seen, tree, waves);
    seen
}

/// Folders in which oddities are at home; what an auto-run point reaches is not softened, nor any flow.
fn soften(seen: &mut [Seen], tree: &Tree, waves: &Waves) {
    const FOLDERS: [&str; 16] = [
        "test",
        "tests",
        "testing",
        "__tests__",
        "docs",
        "doc",
        "examples",
        "example",
        "vendor",
        "_vendor",
        "vendored",
        "third_party",
        "node_modules",
        "fixtures",
        "benchmarks",
        "dist",
    ];
    let soft = [
        &rules::drop_run_delete::RULE,
        &rules::detached_child::RULE,
        &rules::obfuscated_code::RULE,
        &rules::odd_endpoint::RULE,
        &rules::hidden_characters::RULE,
        &rules::off_screen_code::RULE,
        &rules::persistence::RULE,
        &rules::type_mismatch::RULE,
    ];
    for one in seen {
        let Some(file) = tree.files.get(one.file) else { continue };
        let inside = file.path.split('/').any(|part| FOLDERS.contains(&part));
        if inside && soft.iter().any(|r| r.id == one.rule.id) && !waves.is_auto(one.file) {
            one.severity = one.severity.min(Severity::Low);
        }
    }
}

/// Whether a file is code in a language that is read.
fn is_code(nature: &Nature) -> bool {
    matches!(
        nature,
        Nature::Python
            | Nature::PythonLines
            | Nature::Notebook
            | Nature::JavaScript
            | Nature::TypeScript
            | Nature::Shell
    )
}

/// Whether a file that is no code holds commands.
fn runs_commands(file: &File) -> bool {
    let name = file.name().to_lowercase();
    matches!(
        name.as_str(),
        "tasks.json"
            | "package.json"
            | "makefile"
            | "launch.json"
            | "settings.json"
            | ".envrc"
            | "cmakelists.txt"
    ) || name.starts_with("dockerfile")
        || name.ends_with(".rs")
        || name.ends_with(".go")
}

/// A file under the name of a picture, font or document that holds text with code in it, or a program.
fn mismatch(seen: &mut Vec<Seen>, number: usize, file: &File) {
    if !command::promises_data(&file.path) {
        return;
    }
    let text = file.text();
    let is_pointer = text.starts_with("version https://git-lfs")
        || text.starts_with("<!DOCTYPE")
        || text.starts_with("<html");
    let head = text.get(..text.len().min(16_384)).unwrap_or(&text);
    let is_program = file.bytes.starts_with(b"\x7fELF")
        || file.bytes.starts_with(b"MZ")
        || file.bytes.starts_with(b"#!");
    let marks = [
        "require(", "function", "=>", "import ", "eval(", "exec(", "const ", "var ", "def ",
        "curl ", "echo ",
    ];
    let is_script =
        is_text(&file.bytes) && marks.iter().filter(|m| head.contains(**m)).count() >= 2;
    if !is_pointer && (is_program || is_script) {
        let what = "holds code, not what its name says".to_owned();
        seen.push(Seen::medium(&rules::type_mismatch::RULE, (number, 0), Fires::Run, what));
    }
}

/// Whether the place of a hit is near to where a response's header is looked at.
#[must_use]
pub fn chosen_by_header(tree: &Tree, waves: &Waves, id: Id, at: u32) -> bool {
    const NEAR: usize = 900;
    let Some(unit) = waves.unit(id).filter(|u| u.at.is_none()) else { return false };
    let Some(file) = tree.files.get(unit.file) else { return false };
    let text = file.text();
    let at = (unit.place(at) as usize).min(text.len());
    let window = text
        .as_bytes()
        .get(at.saturating_sub(NEAR)..(at + NEAR).min(text.len()))
        .unwrap_or_default();
    let window = String::from_utf8_lossy(window).to_lowercase();
    window.contains("content-type")
        || window.contains("content_type")
        || window.contains("headers.get(\"x-")
        || window.contains("headers['x-")
        || window.contains("headers.get('x-")
        || window.contains("headers[\"x-")
}

/// Code of Rust and Go that runs when it is built: whether it fetches and starts something.
fn build_code(seen: &mut Vec<Seen>, tree: &Tree, waves: &Waves) {
    const FETCH: [&str; 16] = [
        "ureq::",
        "reqwest::",
        "minreq::",
        "attohttpc::",
        "curl::easy",
        "TcpStream::connect",
        "isahc::",
        "http.Get(",
        "http.Post(",
        "net.Dial(",
        "hyper::",
        "UdpSocket::",
        "\"curl\"",
        "\"wget\"",
        "http.NewRequest",
        "ToSocketAddrs",
    ];
    const START: [&str; 10] = [
        "Command::new",
        "exec.Command",
        "libloading::",
        "dlopen",
        "syscall.Exec",
        "os.StartProcess",
        "plugin.Open",
        "\"sh\"",
        "\"bash\"",
        "parse::<TokenStream>",
    ];
    const SECRETS: [&str; 8] = [
        ".ssh",
        ".aws",
        "env::vars()",
        "wallet.dat",
        "Login Data",
        "os.Environ()",
        "id_rsa",
        ".kube",
    ];
    const DECODE: [&str; 6] = [
        "base64",
        "hex::decode",
        "from_str_radix",
        "include_bytes!",
        "from_utf8",
        "STANDARD.decode",
    ];
    for (number, fires) in waves.built(tree) {
        let Some(file) = tree.files.get(number) else { continue };
        let text = without_comments(&file.text());
        let has = |words: &[&'static str]| words.iter().find(|w| text.contains(**w)).copied();
        let (fetch, start) = (has(&FETCH), has(&START));
        let by_shell = text.contains("curl ")
            || text.contains("wget ")
            || text.contains("http://")
            || text.contains("https://");
        let what = match (fetch, start) {
            (Some(fetch), Some(start)) => {
                Some((format!("fetches (`{fetch}`) and starts something (`{start}`)"), fetch))
            }
            (None, Some(start)) if by_shell => {
                Some((format!("starts something (`{start}`) with an address"), start))
            }
            (Some(fetch), None) if has(&SECRETS).is_some() => {
                let secret = has(&SECRETS).unwrap_or_default();
                Some((
                    format!("reads secrets (`{secret}`) and speaks to the network (`{fetch}`)"),
                    fetch,
                ))
            }
            (Some(fetch), None)
                if text.contains("fs::write")
                    || text.contains("File::create")
                    || text.contains(".parse()") =>
            {
                Some((format!("fetches (`{fetch}`) what becomes part of the program"), fetch))
            }
            (None, Some(start))
                if has(&DECODE).is_some()
                    && (text.contains("\"sh\"")
                        || text.contains("\"bash\"")
                        || text.contains("powershell")) =>
            {
                Some((format!("decodes something and starts a shell (`{start}`)"), start))
            }
            _ => None,
        };
        if let Some((what, word)) = what {
            let at = file.text().find(word).unwrap_or(0);
            let mut one = Seen::medium(
                &rules::build_fetches::RULE,
                (number, u32::try_from(at).unwrap_or(0)),
                fires,
                what,
            );
            one.severity = Severity::High;
            seen.push(one);
        }
    }
}

/// Code without what stands behind `//`.
fn without_comments(text: &str) -> String {
    let keep = |line: &str| {
        let mut from = 0;
        while let Some(at) = line.get(from..).and_then(|rest| rest.find("//")) {
            let at = from + at;
            // An address has them too.
            if at == 0 || line.as_bytes().get(at - 1) != Some(&b':') {
                return line.get(..at).unwrap_or_default().to_owned();
            }
            from = at + 2;
        }
        line.to_owned()
    };
    text.lines().map(keep).collect::<Vec<_>>().join("\n")
}
