//! Calls of what is not known, told by the names of their methods; files that are opened and written.

use super::commands::Runs;
use super::engine::{Engine, PATH_LEN_MAX};
use super::ir::Offset;
use super::known;
use super::library::{Asked, PAYLOAD_LEN_MIN, has_host};
use super::list::List;
use super::value::{Const, Source, Taint, Thing, Value};

impl Engine<'_> {
    pub(super) fn opened(&mut self, asked: &Asked<'_>, made: Value) -> Value {
        let mut value = made;
        let of_path = asked.path.starts_with("str.") || asked.path.starts_with("pathlib.");
        let file = match (of_path, asked.base) {
            (true, Some(base)) => base.clone(),
            _ => asked.args.first().or(asked.base).cloned().unwrap_or_default(),
        };
        for text in file.texts() {
            value.join(&Value::text(&text));
            value.taints.extend(self.secret_at(asked.at, &text));
            if let Some(written) = self.file_of(&text) {
                value.join(&Value::tainted(written.taints.clone()));
            }
        }
        value.join(&Value::tainted(file.taints.clone()));
        for text in file.texts() {
            if let Some(stored) = self.stored(asked.at, &text) {
                value.join(&Value::taint(stored));
            }
        }
        let method = asked.path.rsplit('.').next().unwrap_or_default();
        if matches!(
            method,
            "glob"
                | "rglob"
                | "iterdir"
                | "listdir"
                | "scandir"
                | "walk"
                | "readdirSync"
                | "readdir"
                | "sync"
                | "iglob"
                | "globSync"
        ) {
            return self.listed(asked, value);
        }
        let writes = |mode: &Value| {
            let mode = mode.texts().next().unwrap_or_default().into_owned();
            mode.len() <= 3 && mode.contains(['w', 'a'])
        };
        let mode = asked.args.get(1).or_else(|| asked.named("mode"));
        if mode.is_some_and(writes) || asked.path.ends_with("createWriteStream") {
            self.writes(asked, &file);
        }
        value
    }

    /// Whether something is made of a constant, or of a file of the tree.
    pub(super) fn is_made(&self, value: &Value) -> bool {
        let made = |t: &Taint| matches!(t.source, Source::Piece | Source::Stored(_));
        self.origins(value.taints.clone()).iter().any(made)
    }

    /// The entries of a folder: paths in it.
    fn listed(&mut self, asked: &Asked<'_>, folder: Value) -> Value {
        let number = self.object(asked.at);
        let object = Value::thing(Thing::Object(number));
        let inner = asked.args.first().and_then(|a| a.texts().next().map(|t| t.into_owned()));
        let inner = inner
            .filter(|_| asked.base.is_some_and(|b| !b.consts.is_empty()))
            .unwrap_or_else(|| "*".to_owned());
        let base = asked.base.filter(|b| !b.consts.is_empty()).unwrap_or(&folder);
        let mut entry = Value::tainted(folder.taints.clone());
        let texts: Vec<String> = base.texts().map(|t| format!("{t}/{inner}")).collect();
        for text in texts {
            entry.taints.extend(self.secret_at(asked.at, &text));
            entry.join(&Value::text(&text));
        }
        entry.join(&Value::path("pathlib.Path()"));
        self.set_member(&object, &"[]".into(), &entry);
        object
    }

    /// A file of the tree that is data, and is read.
    fn stored(&self, at: Offset, text: &str) -> Option<Taint> {
        let name =
            text.rsplit(['/', '\\']).next().filter(|n| n.len() > 2 && !n.contains('\u{2026}'))?;
        let path = self.project.data.iter().find(|p| p.rsplit('/').next() == Some(name))?;
        let step = self.step(at, format!("reads `{path}`"));
        Some(Taint::new(Source::Stored(path.as_str().into()), step))
    }

    pub(super) fn secret_at(&self, at: Offset, text: &str) -> Option<Taint> {
        let kind = known::secret_of_path(text)?;
        let step = self.step(at, format!("opens `{text}` ({kind})"));
        Some(Taint::new(Source::Secret(kind), step))
    }

    /// Constant code that is written into a file is looked at as if it was run from there.
    pub(super) fn writes_code(&mut self, at: Offset, file: &Value, data: &Value) {
        let program = file.texts().find_map(|t| match t.rsplit('.').next() {
            Some("py" | "pth" | "pyw") => Some("python3"),
            Some("js" | "mjs" | "cjs") => Some("node"),
            Some(
                "sh" | "bashrc" | "zshrc" | "profile" | "bash_profile" | "zprofile" | "command",
            ) => Some("sh"),
            _ => None,
        });
        let Some(program) = program else { return };
        let texts: Vec<String> =
            data.texts().filter(|t| t.len() >= PAYLOAD_LEN_MIN).map(|t| t.into_owned()).collect();
        for text in texts {
            self.note_run(at, Runs::Code(program.to_owned(), text));
        }
    }

    /// A file is written: some are read by what starts programs.
    pub(super) fn writes(&mut self, asked: &Asked<'_>, file: &Value) {
        let texts: Vec<String> = file.texts().map(|t| t.into_owned()).collect();
        for text in texts {
            self.note_file(asked.at, &text);
        }
    }

    /// Something that is not known keeps what went in; methods of texts, lists and files are told by their names.
    pub(super) fn unknown_call(&mut self, asked: &Asked<'_>) -> Value {
        let method = asked.path.rsplit('.').next().unwrap_or_default();
        let base = asked.base.cloned().unwrap_or_default();
        let mut value = Value::default();
        let secrets: List<Taint> = asked
            .all()
            .flat_map(|a| a.texts())
            .filter_map(|text| self.secret_at(asked.at, &text))
            .collect();
        value.join(&Value::tainted(secrets.clone()));
        if let Some(config) = self.config(asked) {
            value.join(&config);
        }
        if asked.path.starts_with("[].") {
            value.join(&self.list_method(asked, &base, method, &secrets));
        } else if asked.path.starts_with("str.") {
            value.join(&self.text_method(asked, &base, method));
        }
        match method {
            "write" | "write_bytes" | "write_text" | "writelines" | "end" | "send" | "sendall"
            | "extractall" => {
                let given: List<Taint> = asked.args.iter().flat_map(|a| self.taints(a)).collect();
                self.write(&base, &Value::tainted(given));
                if let Some(data) = asked.args.first() {
                    self.writes_code(asked.at, &base, data);
                }
                self.sent(asked, &base);
            }
            "pipe" | "pipeTo" => {
                for file in asked.args {
                    self.write(file, &Value::tainted(base.taints.clone()));
                }
            }
            "get" if asked.path.starts_with("configparser.") => {
                if let [section, key, ..] = asked.args {
                    let section =
                        section.texts().next().map(|t| t.into_owned()).unwrap_or_default();
                    let path = format!("configparser.ConfigParser().{section}");
                    let held = self.patch_of(&path).cloned().unwrap_or_default();
                    let key = key.texts().next().map(|t| t.into_owned()).unwrap_or_default();
                    value.join(&self.field(&held, &key));
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
        if asked.path.contains("environ.get") || asked.path.ends_with("os.getenv") {
            let name = asked.args.first().and_then(|a| a.texts().next().map(|t| t.into_owned()));
            if let Some(name) = name {
                let variable = Value::path(&format!("os.environ.{name}"));
                value.join(&Value::tainted(self.own(&variable)));
                if let Some(known) = self.patch_of(&format!("os.environ.{name}")) {
                    value.join(&known.clone());
                }
                if let Some(default) = asked.args.get(1) {
                    value.join(default);
                }
            }
        }
        for arg in asked.all() {
            value.join(&Value::tainted(self.taints(arg)));
        }
        value.join(&Value::tainted(self.own(&base)));
        value.join(&Value::tainted(base.taints.clone()));
        if asked.path.starts_with("pathlib.") {
            value.join(&self.path_method(asked, &base, method));
            return value;
        }
        if asked.path.contains("winreg.") {
            let texts: Vec<String> =
                asked.all().flat_map(|a| a.texts()).map(|t| t.into_owned()).collect();
            texts.iter().for_each(|t| self.note_file(asked.at, t));
        }
        if asked.path.len() + 2 < PATH_LEN_MAX
            && !asked.path.starts_with("str.")
            && !asked.path.starts_with("[].")
        {
            let mut made = Value::path(&format!("{}()", asked.path));
            // What a client or a path was made with stays with it.
            for arg in asked.all() {
                made.consts.extend(arg.consts.iter().filter(|c| c.text().is_some()).cloned());
                let hosts = self.element(arg);
                let hosts = hosts.consts.iter().filter(|c| c.text().is_some_and(|t| has_host(&t)));
                made.consts.extend(hosts.cloned());
            }
            made.consts.truncate(4);
            value.join(&made);
        }
        value
    }

    /// Methods of paths: what they lead to is a path too.
    fn path_method(&mut self, asked: &Asked<'_>, base: &Value, method: &str) -> Value {
        let slash = Value::text("/");
        let mut parts = vec![base.clone()];
        let spread = asked.named("**").map(|list| self.items(list)).unwrap_or_default();
        if method == "joinpath" {
            for part in asked.args.iter().chain(&spread) {
                parts.extend([slash.clone(), part.clone()]);
            }
        }
        let mut value = self.joined(&parts);
        if let ("with_suffix" | "with_name" | "with_stem", Some(end)) = (method, asked.args.first())
        {
            let end = end.texts().next().map(|t| t.into_owned()).unwrap_or_default();
            let texts: Vec<String> = base
                .texts()
                .map(|t| match method {
                    "with_suffix" => {
                        format!("{}{end}", t.rsplit_once('.').map_or(&*t, |(stem, _)| stem))
                    }
                    _ => format!("{}/{end}", t.rsplit_once('/').map_or(".", |(above, _)| above)),
                })
                .collect();
            value.consts = texts.iter().map(|t| Const::Text(t.as_str().into())).collect();
        }
        value.join(&Value::path("pathlib.Path()"));
        value
    }

    /// A request or socket that was made before, and is given more to send.
    fn sent(&mut self, asked: &Asked<'_>, base: &Value) {
        let sources: Vec<Source> = base
            .taints
            .iter()
            .map(|t| t.source.clone())
            .filter(|s| matches!(s, Source::Network(_) | Source::NetworkOf(..)))
            .collect();
        if !sources.is_empty() {
            self.leaves(asked, &sources);
        } else if asked.path.starts_with("socket.socket()") {
            let hosts = self.patch_of("%connected").cloned().unwrap_or_default();
            let sources = self.endpoints(&hosts);
            self.leaves(asked, &sources);
        }
    }
}
