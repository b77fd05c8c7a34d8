//! Commands of shells: what fetches, decodes, copies and runs.

use super::engine::Engine;
use super::fold::Coding;
use super::known::{self, Sink};
use super::library::{Asked, has_host};
use super::list::List;
use super::value::{Source, Taint, Value};
use crate::shell::{INTO, STDIN};

/// Programs that run code, and the options after which it stands on their line.
const INTERPRETERS: [(&str, &[&str]); 22] = [
    ("sh", &["-c", "-lc", "-ec", "-ic"]),
    ("bash", &["-c", "-lc", "-ec", "-ic"]),
    ("zsh", &["-c", "-lc", "-ic"]),
    ("dash", &["-c"]),
    ("ksh", &["-c"]),
    ("fish", &["-c"]),
    ("python", &["-c"]),
    ("python2", &["-c"]),
    ("python3", &["-c"]),
    ("py", &["-c"]),
    ("node", &["-e", "--eval", "-p", "--print", "-pe"]),
    ("nodejs", &["-e", "--eval", "-p"]),
    ("bun", &["-e", "--eval"]),
    ("deno", &["eval"]),
    ("tsx", &["-e"]),
    ("ts-node", &["-e"]),
    ("perl", &["-e"]),
    ("ruby", &["-e"]),
    ("php", &["-r"]),
    ("osascript", &["-e"]),
    ("powershell", &["-Command", "-command", "-c", "-enc", "-EncodedCommand"]),
    ("pwsh", &["-Command", "-c", "-enc"]),
];

/// The language that a program runs, if it is one that is read here.
#[must_use]
pub fn language_of(program: &str) -> Option<super::Language> {
    use super::Language::{JavaScript, Python, Shell};
    let program = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let program = program.trim_end_matches(".exe");
    Some(match program {
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" | "source" | "." => Shell,
        "node" | "nodejs" | "bun" | "deno" | "tsx" | "ts-node" | "electron" => JavaScript,
        _ if program.starts_with("python") || program == "py" || program == "pypy3" => Python,
        _ => return None,
    })
}

/// Whether a program runs code that it is given, in a language that is not read here too.
#[must_use]
pub fn is_interpreter(program: &str) -> bool {
    let program = program.rsplit(['/', '\\']).next().unwrap_or(program).trim_end_matches(".exe");
    INTERPRETERS.iter().any(|(name, _)| *name == program)
}

/// Something that a command runs: a file, or code on its line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Runs {
    /// A file, by the program that runs it and the path as the command says it.
    File(String, String),
    /// Code, by the program that runs it.
    Code(String, String),
}

impl Engine<'_> {
    /// A command: its name, its words, what is piped into it.
    pub(super) fn shell(&mut self, asked: &Asked<'_>) -> Value {
        let name = asked.path.rsplit(['/', '\\']).next().unwrap_or(asked.path).to_owned();
        let name = name.trim_end_matches(".exe");
        let stdin = asked.named(STDIN).cloned().unwrap_or_default();
        let words: Vec<String> = asked
            .args
            .iter()
            .map(|a| a.texts().next().map(|t| t.into_owned()).unwrap_or_default())
            .collect();
        let has = |option: &str| words.iter().any(|w| w == option);
        let interpreter = INTERPRETERS.iter().find(|(program, _)| {
            *program == name || name.strip_prefix("python3.").is_some() && *program == "python3"
        });
        let value = match name {
            "curl" | "wget" | "http" | "https" | "aria2c" | "fetch" | "lwp-request" | "nc"
            | "ncat" | "netcat" | "telnet" | "iwr" | "irm" | "Invoke-WebRequest"
            | "Invoke-RestMethod" | "certutil" | "bitsadmin" | "openssl"
                if name != "openssl" || has("s_client") =>
            {
                self.shell_fetch(asked, &words, &stdin)
            }
            _ if interpreter.is_some() => {
                let options = interpreter.map_or(&[][..], |(_, o)| o);
                self.shell_interpreter(asked, name, options, &words, &stdin)
            }
            "docker" | "podman" | "nerdctl" if has("run") || has("create") => {
                let line = format!("{name} {}", words.join(" "));
                self.note_file(asked.at, &line);
                Value::default()
            }
            "mktemp" | "tempfile" => Value::text(&format!("/tmp/%{}.{}", self.here.0, asked.at)),
            "eval"
            | "iex"
            | "Invoke-Expression"
            | "source"
            | "."
            | "source_env"
            | "source_env_if_exists" => {
                let given = self.given_to(asked, &stdin);
                self.shell_feed(asked, given);
                for text in words.iter().filter(|w| !w.is_empty()) {
                    let runs = match name {
                        "source" | "." | "source_env" | "source_env_if_exists" => {
                            Runs::File(name.to_owned(), text.clone())
                        }
                        _ => Runs::Code("sh".to_owned(), text.clone()),
                    };
                    self.note_run(asked.at, runs);
                }
                Value::default()
            }
            "xargs" | "parallel" => {
                // What is piped in becomes words of the command that stands after it.
                let program = words.iter().position(|w| !w.starts_with('-') && !w.is_empty());
                let runs = program.is_some_and(|at| {
                    words.get(at).is_some_and(|w| language_of(w).is_some() || w == "eval")
                });
                if runs {
                    let given = self.taints(&stdin);
                    self.shell_feed(asked, given);
                }
                stdin.clone()
            }
            "base64" | "base32" | "xxd" | "openssl" | "gunzip" | "zcat" | "gzip" | "unxz"
            | "xzcat" | "bzcat" | "uudecode" | "basenc"
                if name == "gunzip"
                    || name == "zcat"
                    || name.starts_with("xzcat")
                    || has("-d")
                    || has("-D")
                    || has("--decode")
                    || has("-r")
                    || has("-di") =>
            {
                let coding = match name {
                    "base64" => Coding::Base64,
                    "base32" => Coding::Base32,
                    "xxd" => Coding::Hex,
                    _ => Coding::Other,
                };
                let from = match (stdin == Value::default(), asked.args.last()) {
                    (true, Some(last)) => last.clone(),
                    _ => stdin.clone(),
                };
                let args = [from];
                let decoding = Asked { args: &args, named: &[], ..*asked };
                self.decoded(&decoding, coding)
            }
            "rev" | "tr" | "sed" | "awk" | "cut" | "sort" | "head" | "tail" | "grep" | "fold"
            | "paste" | "jq" => {
                let mut value = Value::tainted(self.taints(&stdin));
                value.join(&self.pieces([&stdin]));
                if value.taints.iter().any(|t| t.source == Source::Piece) {
                    let step = self.step(asked.at, format!("`{name}` changes a constant"));
                    value.join(&Value::taint(Taint::new(Source::Decoded, step)));
                }
                if name == "rev" {
                    value.consts = stdin.consts.iter().filter_map(super::fold::reversed).collect();
                    if value.texts().any(|t| t.len() >= 8) {
                        let step = self.step(asked.at, "`rev` turns a constant round".to_owned());
                        value.join(&Value::taint(Taint::new(Source::Decoded, step)));
                    }
                }
                for arg in asked.args {
                    value.join(&Value::tainted(self.taints(arg)));
                }
                value
            }
            "echo" | "printf" | "print" => {
                let blank = Value::text(" ");
                let skip =
                    usize::from(name == "printf" && words.first().is_some_and(|w| w.contains('%')));
                let mut parts = Vec::new();
                for arg in asked.args.iter().skip(skip) {
                    if arg.texts().next().is_some_and(|t| matches!(&*t, "-n" | "-e" | "-ne")) {
                        continue;
                    }
                    if !parts.is_empty() {
                        parts.push(blank.clone());
                    }
                    parts.push(arg.clone());
                }
                self.joined(&parts)
            }
            "cat" | "tar" | "zip" | "cp" | "ditto" | "rsync" | "scp" | "strings" | "sqlite3"
            | "less" => {
                let mut value = stdin.clone();
                value.join(&self.opened_by(asked));
                if let ("cp" | "zip" | "scp", Some(to)) =
                    (name, asked.args.last().filter(|_| name == "cp"))
                {
                    self.write(to, &value);
                }
                if let Some(nth) = words.iter().position(|w| {
                    w.starts_with("cz")
                        || w.starts_with("-cz")
                        || w.starts_with("-cf")
                        || w.starts_with("cf")
                        || w == "-r"
                }) && let Some(to) = asked.args.get(nth + 1)
                {
                    self.write(to, &Value::tainted(value.taints.clone()));
                }
                value
            }
            "env" | "printenv" | "set" | "export" if words.is_empty() || has("-p") => {
                let step = self.step(asked.at, "prints all of the environment".to_owned());
                Value::taint(Taint::new(Source::Secret("environment"), step))
            }
            "security" | "secret-tool" | "cmdkey" | "vaultcmd"
                if words.iter().any(|w| {
                    w.starts_with("find-") || w == "lookup" || w == "dump-keychain" || w == "search"
                }) =>
            {
                let step = self.step(asked.at, format!("`{name}` asks a keychain"));
                Value::taint(Taint::new(Source::Secret("keychain"), step))
            }
            "crontab" => {
                // A line of it: five fields, then a command.
                let texts: Vec<String> = stdin.texts().map(|t| t.into_owned()).collect();
                for line in texts.iter().flat_map(|t| t.lines()) {
                    let fields = if line.trim_start().starts_with('@') { 1 } else { 5 };
                    let command: Vec<&str> = line.split_whitespace().skip(fields).collect();
                    if !command.is_empty() {
                        self.note_run(asked.at, Runs::Code("sh".to_owned(), command.join(" ")));
                    }
                }
                self.persists(asked, name, &words);
                Value::default()
            }
            "tee" => {
                for file in asked.args {
                    self.write(file, &Value::tainted(self.taints(&stdin)));
                    self.writes(asked, file);
                }
                stdin.clone()
            }
            "rm" | "unlink" | "shred" | "del" => {
                for word in words.iter().filter(|w| !w.starts_with('-')) {
                    self.deleted.insert((self.here.0, asked.at, word.clone()));
                }
                Value::default()
            }
            "go" if words.first().is_some_and(|w| w == "run") => {
                for word in words.iter().skip(1).filter(|w| !w.starts_with('-')) {
                    self.note_run(asked.at, Runs::File("go".to_owned(), word.clone()));
                }
                Value::default()
            }
            "mv" | "ln" | "install" => {
                if let [from, .., to] = asked.args {
                    let taints = self.taints(from);
                    self.write(to, &Value::tainted(taints));
                }
                Value::default()
            }
            "npm" | "yarn" | "pnpm" | "bun" | "npx" | "pip" | "pip3" | "uv" | "pipx" | "make"
            | "gmake" | "poetry" | "bunx" => {
                self.package_manager(asked, name, &words);
                Value::default()
            }
            "git" if has("clone") => Value::default(),
            _ => {
                // A program of the tree or the machine: a file that was fetched may be it.
                let path = Value::text(asked.path);
                if asked.path.contains('/') {
                    let given = self.taints(&path);
                    self.shell_feed(asked, given);
                    self.note_run(asked.at, Runs::File(String::new(), asked.path.to_string()));
                }
                self.persists(asked, name, &words);
                let mut value = Value::tainted(self.taints(&stdin));
                for arg in asked.args {
                    value.join(&Value::tainted(self.taints(arg)));
                }
                value
            }
        };
        if let Some(file) = asked.named(INTO) {
            let mut all = Value::tainted(self.taints(&value));
            all.join(&Value { things: List::NONE, ..value.clone() });
            self.write(file, &all);
            self.writes(asked, file);
        }
        value
    }

    /// Files that a command reads.
    fn opened_by(&mut self, asked: &Asked<'_>) -> Value {
        let mut value = Value::default();
        for arg in asked.args {
            let one = [arg.clone()];
            let opened = Asked { args: &one, named: &[], ..*asked };
            value.join(&self.opened(&opened, Value::default()));
            let texts: Vec<String> = arg.texts().map(|t| t.into_owned()).collect();
            for text in texts {
                if let Some(written) = self.file_of(&text) {
                    let written = written.clone();
                    value.join(&written);
                }
            }
        }
        value.consts = List::NONE;
        value
    }

    fn shell_fetch(&mut self, asked: &Asked<'_>, words: &[String], stdin: &Value) -> Value {
        let mut hosts = Value::default();
        for (arg, word) in asked.args.iter().zip(words) {
            let params = arg.things.clone();
            for text in arg.texts() {
                let bare = !text.starts_with('-')
                    && !text.starts_with('@')
                    && text.contains('.')
                    && !text.contains(' ')
                    && !text.contains('=')
                    && !text.starts_with(['/', '~', '.']);
                if has_host(&text) {
                    hosts.join(&Value::text(&text));
                } else if bare
                    && word == &*text
                    && has_host(&format!("https://{text}"))
                    && !looks_like_file(&text)
                {
                    hosts.join(&Value::text(&format!("https://{text}")));
                }
            }
            hosts.things.extend(params);
        }
        let sources = self.endpoints(&hosts);
        // What is sent: words, files behind an at sign, what is piped in.
        let mut sent = stdin.clone();
        sent.join(&Value::tainted(self.taints(stdin)));
        for arg in asked.args {
            sent.join(&Value::tainted(self.taints(arg)));
            let texts: Vec<String> = arg.texts().map(|t| t.into_owned()).collect();
            for text in texts {
                let file = text
                    .split_once('@')
                    .or_else(|| text.split_once("-file="))
                    .map_or(text.as_str(), |(_, file)| file);
                sent.taints.extend(self.secret_at(asked.at, file));
                if let Some(written) = self.file_of(file) {
                    sent.join(&Value::tainted(written.taints.clone()));
                }
            }
        }
        let given = [sent];
        let leaving = Asked { args: &given, named: &[], ..*asked };
        self.leaves(&leaving, &sources);
        let value = Value::tainted(self.fetched(asked, sources.clone()));
        // Where it is put.
        for (nth, word) in words.iter().enumerate() {
            let file = match word.as_str() {
                "-o" | "--output" | "-O" | "--output-document" | "-OutFile" | "-outfile" => {
                    asked.args.get(nth + 1).cloned()
                }
                // Short options that stand together.
                short
                    if short.len() > 2
                        && short.starts_with('-')
                        && !short.starts_with("--")
                        && short.ends_with(['o', 'O'])
                        && !short.contains('/')
                        && name_of(asked) != "wget"
                        || short.ends_with('O')
                            && short.len() > 2
                            && name_of(asked) == "wget"
                            && short.starts_with('-') =>
                {
                    asked.args.get(nth + 1).cloned()
                }
                _ => ["--output=", "-o", "-O"]
                    .iter()
                    .find_map(|o| {
                        word.strip_prefix(o).filter(|f| f.len() > 1 && !f.starts_with('-'))
                    })
                    .map(Value::text),
            };
            if let Some(file) = file {
                self.write(&file, &value);
            }
        }
        if let Some(name) = sources.iter().find_map(|s| match s {
            Source::Network(Some(url)) => url.rsplit('/').next().filter(|n| !n.is_empty()),
            _ => None,
        }) {
            // By its own name.
            if words.iter().any(|w| {
                w == "-O" || w == "-LO" || w == "-sO" || w == "-OL" || w == "--remote-name"
            }) || asked.path.ends_with("wget")
            {
                self.write(&Value::text(name), &value);
                self.write(&Value::text(&format!("./{name}")), &value);
            }
        }
        value
    }

    /// Scripts of packages, and packages from addresses.
    fn package_manager(&mut self, asked: &Asked<'_>, name: &str, words: &[String]) {
        let plain: Vec<&String> =
            words.iter().filter(|w| !w.starts_with('-') && !w.is_empty()).collect();
        let runs = |what: &str| Runs::File("npm".to_owned(), what.to_owned());
        match (name, plain.first().map(|w| w.as_str())) {
            ("make" | "gmake", target) => {
                let target = target.unwrap_or_default().to_owned();
                self.note_run(asked.at, Runs::File("make".to_owned(), target));
            }
            ("npm" | "yarn" | "pnpm" | "bun", Some("run" | "run-script")) => {
                if let Some(script) = plain.get(1) {
                    self.note_run(asked.at, runs(script));
                }
            }
            ("npm" | "yarn" | "pnpm" | "bun", Some(script)) => {
                self.note_run(asked.at, runs(script))
            }
            ("yarn", None) => self.note_run(asked.at, runs("install")),
            ("pip" | "pip3" | "uv" | "poetry", _) => {
                self.note_run(asked.at, Runs::File("pip".to_owned(), ".".to_owned()));
            }
            _ => {}
        }
        // Installing from an address is running what lies there.
        let installs = matches!(name, "npx" | "pipx" | "bunx")
            || plain.iter().any(|w| {
                matches!(w.as_str(), "install" | "i" | "add" | "exec" | "dlx" | "download")
            });
        if !installs {
            return;
        }
        let mut hosts = Value::default();
        for (nth, arg) in asked.args.iter().enumerate() {
            let before = nth.checked_sub(1).and_then(|n| words.get(n)).map(String::as_str);
            let is_index = matches!(before, Some("--registry" | "--proxy"));
            for text in arg.texts().filter(|_| !is_index) {
                let url = text.split_once(" @ ").map_or(&*text, |(_, url)| url);
                let url = url
                    .trim_start_matches("git+")
                    .split_once('=')
                    .filter(|(key, _)| key.starts_with("--"))
                    .map_or(url.trim_start_matches("git+"), |(_, v)| v);
                if has_host(url) {
                    hosts.join(&Value::text(url));
                }
            }
        }
        if !hosts.consts.is_empty() {
            let sources = self.endpoints(&hosts);
            let given = self.fetched(asked, sources);
            self.shell_feed(asked, given);
        }
    }

    fn given_to(&self, asked: &Asked<'_>, stdin: &Value) -> List<Taint> {
        let mut given = self.taints(stdin);
        for arg in asked.args {
            given.extend(self.taints(arg));
        }
        given
    }

    fn shell_interpreter(
        &mut self,
        asked: &Asked<'_>,
        name: &str,
        options: &[&str],
        words: &[String],
        stdin: &Value,
    ) -> Value {
        let given = self.given_to(asked, stdin);
        self.shell_feed(asked, given.clone());
        let code = words.iter().position(|w| options.contains(&w.as_str()));
        let module = words.iter().position(|w| w == "-m");
        if let Some(nth) = code {
            if let Some(text) = words.get(nth + 1).filter(|t| !t.is_empty()) {
                let program = match name {
                    "powershell" | "pwsh" => "powershell",
                    other => other,
                };
                self.note_run(asked.at, Runs::Code(program.to_owned(), text.clone()));
            }
        } else if let Some(nth) = module.filter(|nth| {
            words.get(nth + 1).is_some_and(|m| matches!(m.as_str(), "pip" | "uv" | "pipx"))
        }) {
            let inner =
                Asked { args: asked.args.get(nth + 2..).unwrap_or_default(), named: &[], ..*asked };
            self.package_manager(&inner, "pip", words.get(nth + 2..).unwrap_or_default());
        } else if let Some(module) = module.and_then(|nth| words.get(nth + 1)) {
            let path = format!("{}.py", module.replace('.', "/"));
            self.note_run(asked.at, Runs::File(name.to_owned(), path));
            let path = format!("{}/__main__.py", module.replace('.', "/"));
            self.note_run(asked.at, Runs::File(name.to_owned(), path));
        } else if let Some(file) = words.iter().enumerate().find(|(nth, w)| {
            let after = nth.checked_sub(1).and_then(|n| words.get(n));
            !w.is_empty()
                && !w.starts_with('-')
                && *w != "run"
                && !after.is_some_and(|a| {
                    matches!(a.as_str(), "-r" | "--require" | "--import" | "--loader")
                })
        }) {
            self.note_run(asked.at, Runs::File(name.to_owned(), file.1.clone()));
        } else if let Some(file) = asked.named(crate::shell::FROM) {
            let texts: Vec<String> = file.texts().map(|t| t.into_owned()).collect();
            for text in texts {
                self.note_run(asked.at, Runs::File(name.to_owned(), text));
            }
        } else {
            // Constant code that is piped in.
            let texts: Vec<String> = stdin.texts().map(|t| t.into_owned()).collect();
            for text in texts {
                self.note_run(asked.at, Runs::Code(name.to_owned(), text));
            }
        }
        for (nth, word) in words.iter().enumerate() {
            if matches!(word.as_str(), "-r" | "--require" | "--import" | "--loader")
                && let Some(file) = words.get(nth + 1)
            {
                self.note_run(asked.at, Runs::File(name.to_owned(), file.clone()));
            }
        }
        let mut answer = Value::tainted(given);
        // What a script of the tree prints.
        for word in words.iter().filter(|w| w.contains('.') && w.len() > 3) {
            let word = word.trim_start_matches("./");
            let printed =
                self.project.modules.iter().enumerate().filter(|(_, m)| {
                    m.language == super::Language::Shell && m.path.ends_with(word)
                });
            let modules: Vec<usize> = printed.map(|(n, _)| n).collect();
            for module in modules {
                let printed = self.answer_of(module, 0).cloned().unwrap_or_default();
                answer.join(&printed);
            }
        }
        answer
    }

    fn shell_feed(&mut self, asked: &Asked<'_>, given: List<Taint>) {
        self.feed_taints(asked, Sink::Shell, given);
    }

    /// What stays after the machine is started again.
    fn persists(&mut self, asked: &Asked<'_>, name: &str, words: &[String]) {
        let line = format!("{name} {}", words.join(" "));
        if known::persists(&line) || known::disarms(&line) {
            self.note_file(asked.at, &line);
        }
    }
}

fn name_of<'b>(asked: &'b Asked<'_>) -> &'b str {
    asked.path.rsplit('/').next().unwrap_or(asked.path)
}

/// Whether a bare name is a file's and not a host's.
fn looks_like_file(text: &str) -> bool {
    const ENDS: [&str; 16] = [
        "sh", "py", "js", "json", "txt", "zip", "gz", "tgz", "html", "yml", "yaml", "md", "log",
        "bin", "exe", "csv",
    ];
    !text.contains('/') && text.rsplit('.').next().is_some_and(|e| ENDS.contains(&e))
}
