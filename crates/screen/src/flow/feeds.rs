//! What runs bytes: interpreters, processes, deserialisers, template engines.

use super::agenda::Place;
use super::engine::{Command, Engine, Language};
use super::known::{self, Sink};
use super::library::{Asked, FETCHES, has_host, program_word};
use super::list::List;
use super::value::{Const, Source, Taint, Thing, Value};

/// Programs that run the program after them.
const WRAPPERS: [&str; 20] = [
    "sudo",
    "doas",
    "env",
    "nohup",
    "cmd",
    "cmd.exe",
    "setsid",
    "arch",
    "timeout",
    "nice",
    "stdbuf",
    "busybox",
    "time",
    "xargs",
    "command",
    "exec",
    "watch",
    "caffeinate",
    "cross-env",
    "npx",
];
/// What calls its first argument later, or runs it where it is text.
const TIMERS: [&str; 2] = ["setTimeout", "setInterval"];
/// Programs that may run any of their words.
const RUNNERS: [&str; 16] = [
    "ssh", "su", "docker", "podman", "kubectl", "npm", "pip", "pip3", "yarn", "pnpm", "make",
    "awk", "gawk", "gdb", "vim", "script",
];

impl Engine<'_> {
    /// A command that asks a keychain.
    pub(super) fn keychain(&self, asked: &Asked<'_>) -> Value {
        let mut words: Vec<String> = Vec::new();
        for arg in asked.args.iter().take(2) {
            words.extend(self.texts(arg));
        }
        let line = words.join(" ");
        let asks = [
            "find-generic-password",
            "find-internet-password",
            "dump-keychain",
            "secret-tool lookup",
            "vaultcmd",
        ];
        if asks.iter().any(|a| line.contains(a)) {
            let step = self.step(asked.at, format!("`{}` asks a keychain", asked.path));
            return Value::taint(Taint::new(Source::Secret("keychain"), step));
        }
        let secrets: List<Taint> =
            words.iter().filter_map(|w| self.secret_at(asked.at, w)).collect();
        Value::tainted(secrets)
    }

    /// Bytes arrive at what runs them.
    pub(super) fn feed(&mut self, asked: &Asked<'_>, sink: Sink, all: bool) {
        if sink == Sink::Deserialiser && self.is_safe(asked) {
            return;
        }
        if sink == Sink::Shell {
            self.command(asked);
            let given = self.process(asked);
            return self.feed_taints(asked, sink, given);
        }
        if asked.path.ends_with("Worker") && !self.is_eval(asked) {
            return;
        }
        let mut given: List<Taint> = match all {
            true => asked.all().flat_map(|a| self.taints(a)).collect(),
            _ => asked
                .args
                .first()
                .or_else(|| asked.all().next())
                .map(|a| self.taints(a))
                .unwrap_or_default(),
        };
        if FETCHES.contains(&&**asked.path) {
            let hosts = asked.args.first().cloned().unwrap_or_default();
            if hosts.texts().any(|t| has_host(&t)) {
                let sources = self.endpoints(&hosts);
                given.extend(self.fetched(asked, sources));
            }
        }
        // What somebody else gives to a timer is a function; text that is known is text, and one of two is either.
        let is_given = |v: &Value| {
            let own = |t: &&Thing| matches!(t, Thing::Param(m, s, _) if (*m, *s) == self.here);
            !v.things.is_empty()
                && v.things.iter().all(|t| matches!(t, Thing::Function(..) | Thing::Param(..)))
                && v.things.iter().filter(own).count() < 2
        };
        if TIMERS.contains(&&**asked.path) && asked.args.first().is_some_and(is_given) {
            given.retain(|t| !matches!(t.source, Source::Given(..)));
        }
        self.feed_taints(asked, sink, given);
    }

    /// Whether a worker is made of code, not of a file.
    fn is_eval(&self, asked: &Asked<'_>) -> bool {
        let options = asked.args.get(1).cloned().unwrap_or_default();
        let eval = self.field(&options, "eval");
        eval.consts.contains(&Const::Number(1))
            || asked.args.first().is_some_and(|a| {
                a.texts().any(|t| t.starts_with("data:")) || a.paths().any(|p| p.contains("URL"))
            })
    }

    /// What of a process is run: its program, and what an interpreter is given as code or as a file. Of a line for a
    /// shell that is all of it; what a fixed program is given besides is its own matter.
    fn process(&mut self, asked: &Asked<'_>) -> List<Taint> {
        let is_set = |v: &Value| v.consts.contains(&Const::Number(1));
        let options: Vec<Value> =
            asked.args.iter().skip(1).map(|o| self.field(o, "shell")).collect();
        let shell = options.iter().any(is_set) || asked.named("shell").is_some_and(is_set);
        let mut words: Vec<Value> = Vec::new();
        for arg in
            asked.args.iter().take(if self.language() == Language::JavaScript { 2 } else { 8 })
        {
            match self.items(arg) {
                items if items.is_empty() || !arg.consts.is_empty() => words.push(arg.clone()),
                items => words.extend(items),
            }
        }
        let text_of =
            |v: &Value| program_word(v).or_else(|| v.texts().next().map(|t| t.into_owned()));
        let mut first = 0;
        while let Some(word) = words.get(first).and_then(&text_of) {
            let name = word.rsplit('/').next().unwrap_or(&word).to_owned();
            let is_flag = first > 0 && (name.starts_with('-') || name == "/c" || name == "/C");
            let is_number = first > 0 && name.bytes().all(|b| b.is_ascii_digit() || b == b's');
            if !WRAPPERS.contains(&name.as_str()) && !is_flag && !is_number {
                break;
            }
            first += 1;
        }
        let Some(program) = words.get(first).cloned() else {
            return asked.all().flat_map(|a| self.taints(a)).collect();
        };
        let mut given = self.taints(&program);
        let line: Vec<String> =
            program.texts().filter(|t| t.contains(' ')).map(|t| t.into_owned()).collect();
        for line in line {
            // A line for a shell names files that were fetched.
            let named = |path: &str| path.len() > 4 && line.contains(path);
            self.agenda.touch(Place::Files);
            given.extend(
                self.files.iter().filter(|(p, _)| named(p)).flat_map(|(_, v)| v.taints.clone()),
            );
        }
        let rest: Vec<Value> = words.iter().skip(first + 1).cloned().collect();
        let name = text_of(&program).unwrap_or_default();
        let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
        if shell
            || RUNNERS.contains(&base)
            || name.contains(' ')
            || program.consts.is_empty() && program_word(&program).is_none()
        {
            given.extend(rest.iter().flat_map(|w| self.taints(w)));
        } else if super::commands::language_of(&name).is_some()
            || super::commands::is_interpreter(&name)
        {
            let mut takes = true;
            for word in &rest {
                let text = text_of(word).unwrap_or_default();
                if takes && !text.starts_with('-') {
                    // Code behind an option, or the first word that is none.
                    given.extend(self.taints(word));
                    takes = false;
                } else if text.starts_with('-') {
                    takes = true;
                }
            }
            given.extend(asked.named("input").into_iter().flat_map(|v| self.taints(v)));
            given.extend(asked.named("stdin").into_iter().flat_map(|v| self.taints(v)));
            for options in asked.args.iter().skip(1) {
                let input = self.field(options, "input");
                given.extend(self.taints(&input));
            }
        }
        given
    }

    pub(super) fn feed_taints(&mut self, asked: &Asked<'_>, sink: Sink, given: List<Taint>) {
        for taint in self.origins(given) {
            let counts = match &taint.source {
                Source::Secret(_) | Source::Piece => false,
                Source::Stored(_) => matches!(sink, Sink::Interpreter | Sink::Deserialiser),
                _ => true,
            };
            if !counts {
                continue;
            }
            let what = format!("`{}` runs what it says", asked.path);
            self.hit(asked.at, Some(sink), &taint, None, what);
        }
    }

    /// Whether a deserialiser is told to build plain values only.
    fn is_safe(&self, asked: &Asked<'_>) -> bool {
        if asked.path.starts_with("js-yaml.") {
            // It builds functions only with a schema that says so.
            let options = asked.args.get(1).cloned().unwrap_or_default();
            let schema = self.field(&options, "schema");
            return !schema.paths().any(|p| {
                p.contains("FULL_SCHEMA") || p.contains("js-types") || p.contains("extend")
            });
        }
        if &**asked.path == "numpy.load" {
            let allows = asked.named("allow_pickle");
            return !allows.is_some_and(|v| v.only() == Some(&Const::Number(1)));
        }
        let loader = asked.named("Loader").or_else(|| asked.args.get(1));
        if asked.path.starts_with("yaml.")
            && loader
                .is_some_and(|l| l.paths().next().is_some() && l.paths().all(known::is_safe_loader))
        {
            return true;
        }
        if asked.path.starts_with("ruamel.yaml.YAML()") {
            return true;
        }
        let weights_only = asked.named("weights_only");
        weights_only.is_some_and(|v| v.only() == Some(&Const::Number(1)))
    }

    /// A template engine is given a template, and options of which some are code.
    pub(super) fn feed_options(&mut self, asked: &Asked<'_>, place: usize) {
        const CODE: [&str; 13] = [
            "escapeFunction",
            "escape",
            "outputFunctionName",
            "localsName",
            "destructuredLocals",
            "imports",
            "variable",
            "sourceURL",
            "filters",
            "globals",
            "pretty",
            "helpers",
            "settings",
        ];
        let mut given: List<Taint> = match place {
            // Only made with options.
            usize::MAX => asked
                .named
                .iter()
                .filter(|(n, _)| &**n == "**")
                .flat_map(|(_, v)| self.taints(v))
                .collect(),
            _ => asked.args.first().map(|a| a.taints.clone()).unwrap_or_default(),
        };
        let options = match place {
            usize::MAX => None,
            _ => asked.args.get(place),
        };
        if let Some(options) = options.filter(|_| self.language() == Language::JavaScript) {
            given.extend(options.taints.clone());
            for name in CODE {
                let field = self.field(options, name);
                given.extend(self.taints(&field));
            }
            let rest = self.field(options, "[]");
            given.extend(rest.taints);
        }
        self.feed_taints(asked, Sink::Template, given);
    }

    /// A command with constant words: what it does is looked at as one.
    fn command(&mut self, asked: &Asked<'_>) {
        let mut words: Vec<String> = Vec::new();
        let mut take = |engine: &Self, value: &Value| match program_word(value)
            .or_else(|| value.texts().next().map(|t| t.into_owned()))
        {
            Some(text) => words.push(text),
            None => {
                let items = engine.items(value);
                for item in &items {
                    let word =
                        program_word(item).or_else(|| item.texts().next().map(|t| t.into_owned()));
                    let word = word.unwrap_or_else(|| "…".to_owned());
                    words.push(if word.contains(char::is_whitespace) && !word.contains('\'') {
                        format!("'{word}'")
                    } else {
                        word
                    });
                }
            }
        };
        let lists = match self.language() {
            Language::JavaScript => 2,
            _ if asked.path.contains("exec") || asked.path.contains("spawn") => 8,
            _ => 1,
        };
        for arg in asked.args.iter().take(lists) {
            take(self, arg);
        }
        if let Some(arg) = asked.named("args").filter(|_| asked.args.is_empty()) {
            take(self, arg);
        }
        if asked.path.starts_with("pip.") {
            words.insert(0, "pip".to_owned());
        }
        if &**asked.path == "child_process.fork" {
            words.insert(0, "node".to_owned());
        }
        let line = words.join(" ");
        let options =
            asked.args.iter().skip(1).map(|o| self.field(o, "detached")).collect::<Vec<_>>();
        let is_set = |v: &Value| v.only() == Some(&Const::Number(1));
        let detached = options.iter().any(is_set)
            || asked.named("start_new_session").is_some_and(is_set)
            || asked.named("creationflags").is_some_and(|v| {
                v.paths().any(|p| p.contains("DETACHED") || p.contains("NO_WINDOW"))
            })
            || asked.named("preexec_fn").is_some_and(|v| v.paths().any(|p| p.contains("setsid")));
        if !line.trim().is_empty() || detached {
            let (module, on_load) = (self.here.0, self.is_on_load());
            let known = self
                .commands
                .entry((module, asked.at, line))
                .or_insert(Command { on_load, detached });
            known.on_load |= on_load;
            known.detached |= detached;
        }
    }
}
