//! Calls of libraries: what brings bytes in, decodes, keeps or runs them.

use super::agenda::Place;
use super::commands::Runs;
use super::engine::{Engine, Language, PATH_LEN_MAX};
use super::ir::{Name, Offset};
use super::known::{self, Deed, Sink};
use super::list::List;
use super::value::{Const, Growth, Source, Taint, Thing, Value};

/// A decoded constant that is shorter does nothing by itself.
pub(super) const PAYLOAD_LEN_MIN: usize = 8;
/// Steps in which a list is folded to one value.
const FOLDS_MAX: usize = 8;
/// Parts of a text that are told apart.
pub(super) const PARTS_MAX: usize = 4_096;
/// What runs by itself what an address leads to.
pub(super) const FETCHES: [&str; 6] = [
    "pandas.read_pickle",
    "torch.hub.load_state_dict_from_url",
    "torch.hub.load",
    "joblib.load",
    "importScripts",
    "Worker",
];
/// Members of a map that are told apart when it is copied.
pub(super) const FIELDS_MAX: usize = 200;
/// Members of a map that are told apart when it is run over.
pub(super) const PAIRS_MAX: usize = 60;
/// Under this name a list holds the archive or file that it is written to.
pub(super) const INTO: &str = "%into";
/// What calls of a promise's first argument are, before the promise's number.
const SETTLES: &str = "%settles ";
/// Members of objects that name an endpoint.
const ENDPOINTS: [&str; 8] =
    ["url", "uri", "href", "baseURL", "baseUrl", "prefixUrl", "hostname", "host"];

/// A call of something of a library.
pub(super) struct Asked<'b> {
    pub(super) at: Offset,
    pub(super) path: &'b Name,
    pub(super) base: Option<&'b Value>,
    pub(super) args: &'b [Value],
    pub(super) named: &'b [(Name, Value)],
}

impl Asked<'_> {
    pub(super) fn named(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(n, _)| &**n == name).map(|(_, v)| v)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Value> {
        self.args.iter().chain(self.named.iter().map(|(_, v)| v))
    }

    /// What says the endpoint: an argument, and what the client was made with where that names no host.
    fn endpoint(&self, place: usize) -> Value {
        let given = self.args.get(place).or_else(|| self.named("url")).cloned().unwrap_or_default();
        if self.path.contains("dns.") {
            let asked = given.texts().map(|t| Const::Text(format!("dns://{t}").into()));
            return Value { consts: asked.collect(), ..Value::default() };
        }
        let is_known = given.texts().any(|t| has_host(&t))
            || given.things.iter().any(|t| matches!(t, Thing::Param(..)));
        if self.path.starts_with("http.client.") {
            // A connection is made with a bare host.
            let hosts = self.base.iter().flat_map(|b| b.texts()).map(|t| format!("https://{t}"));
            let consts = hosts.map(|host| Const::Text(host.into())).collect();
            return Value { consts, ..Value::default() };
        }
        let base = self.base.filter(|_| !is_known);
        let taints = given.taints.clone();
        base.map_or(given, |base| Value { taints, things: List::NONE, ..base.clone() })
    }
}

/// Whether a text names a host: `https://host/…`. Marks of what is unknown, and of formats, are none.
pub(super) fn has_host(text: &str) -> bool {
    // Most texts are none: what comes before the first colon is short.
    const SCHEME_LEN_MAX: usize = 24;
    const LEN_MAX: usize = 2_048;
    if !text.bytes().take(SCHEME_LEN_MAX).any(|b| b == b':') {
        return false;
    }
    // Clients leave blanks out, and take either slash (URL Standard, 4.4).
    if text.len() <= LEN_MAX && text.bytes().any(|b| b <= b' ' || b == b'\\') {
        let plain: String = text
            .trim_matches(|c: char| c <= ' ')
            .chars()
            .filter(|c| !matches!(c, '\t' | '\n' | '\r'))
            .map(|c| if c == '\\' { '/' } else { c })
            .collect();
        return plain.bytes().all(|b| b != b'\\' && b >= b' ') && names_host(&plain);
    }
    names_host(text)
}

fn names_host(text: &str) -> bool {
    let (scheme, rest) = match text.split_once("://") {
        Some(("hidden", _)) => return true,
        Some(parts) => parts,
        // Of these any number of slashes will do.
        None => match text.split_once(':') {
            Some((scheme @ ("http" | "https"), rest)) if rest.contains('.') => {
                (scheme, rest.trim_start_matches('/'))
            }
            _ => return false,
        },
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let name = authority.rsplit('@').next().unwrap_or(authority);
    // Whatever the port is, the host is known.
    let host = match name.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => name.split(':').next().unwrap_or_default(),
    };
    let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    host.starts_with(|c: char| c.is_alphanumeric() || c == ':')
        && host.chars().all(is_host)
        && !scheme.is_empty()
        && scheme.chars().all(char::is_alphanumeric)
}

impl Engine<'_> {
    pub(super) fn library(&mut self, asked: &Asked<'_>) -> Value {
        let made = || {
            let fits = asked.path.len() + 2 < PATH_LEN_MAX;
            if fits { Value::path(&format!("{}()", asked.path)) } else { Value::default() }
        };
        if let Some(number) = asked.path.strip_prefix(SETTLES) {
            let promise = Thing::Object(number.parse().unwrap_or(usize::MAX));
            for value in asked.args {
                self.set_member(&Value::thing(promise.clone()), &"[]".into(), value);
            }
            return Value::default();
        }
        if self.language() == Language::Shell {
            return self.shell(asked);
        }
        if let Some(class) = asked.path.strip_suffix("().__init__") {
            // A class of a library that is built upon.
            let path = Name::from(class);
            return self.library(&Asked { path: &path, base: None, ..*asked });
        }
        if let Some(getter) =
            asked.path.strip_prefix("operator.").and_then(|p| p.strip_suffix("()"))
        {
            return self.got(asked, getter);
        }
        let Some(deed) = self.deed(asked.path) else {
            return self.unknown_call(asked);
        };
        match deed {
            Deed::Fetch(place) => {
                let sources = self.endpoints_of(asked, place);
                self.leaves(asked, &sources);
                let mut value = made();
                value.taints = self.fetched(asked, sources);
                value
            }
            Deed::FetchFile(place) => {
                let sources = self.endpoints_of(asked, place);
                let value = Value::tainted(self.fetched(asked, sources));
                if let Some(file) = asked.args.get(place + 1) {
                    self.write(file, &value);
                }
                value
            }
            Deed::Connect => self.connected(asked),
            Deed::Decode(coding) => self.decoded(asked, coding),
            Deed::DecodeAs => self.decoded_as(asked),
            Deed::Decrypt => self.decrypted(asked),
            Deed::Feed(sink) | Deed::FeedAll(sink) => {
                self.feed(asked, sink, matches!(deed, Deed::FeedAll(_)));
                let mut value = made();
                value.taints = asked.all().flat_map(|v| v.taints.clone()).collect();
                if sink == Sink::Interpreter {
                    // What it compiles may be called.
                    asked.all().for_each(|v| {
                        value.join(&Value { consts: List::NONE, ..v.clone() });
                    });
                }
                value.join(&self.keychain(asked));
                value
            }
            Deed::FeedOptions(place) => {
                self.feed_options(asked, place);
                let mut value = made();
                value.taints = asked.all().flat_map(|v| v.taints.clone()).collect();
                value
            }
            Deed::Open => self.opened(asked, made()),
            Deed::Write => {
                let (file, data) = match (asked.args, asked.base) {
                    ([file, data, ..], _) => (Some(file), Some(data)),
                    ([data], base) => (base, Some(data)),
                    _ => (None, None),
                };
                if let (Some(file), Some(data)) = (file, data) {
                    let taints = self.taints(data);
                    self.write(file, &Value::tainted(taints));
                    self.writes(asked, file);
                    self.writes_code(asked.at, file, data);
                }
                Value::default()
            }
            Deed::Copy => {
                if let Some(to) = asked.args.get(1) {
                    self.writes(asked, to);
                }
                if let [from, to, ..] = asked.args {
                    let opened = Asked { args: std::slice::from_ref(from), ..*asked };
                    let value = self.opened(&opened, Value::default());
                    self.write(to, &value);
                }
                asked.args.get(1).cloned().unwrap_or_default()
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
                let joins =
                    ["urljoin", "URL", "gather", "Promise.all", "concat", "closing", "resolve"];
                let rest = asked.args.iter().skip(1);
                for other in rest.filter(|_| joins.iter().any(|j| asked.path.ends_with(j))) {
                    value.join(other);
                }
                let numbers = asked.args.first().cloned().unwrap_or_default();
                value.join(&self.of_numbers(asked.at, &numbers));
                if let Some(config) = self.config(asked) {
                    value.join(&config);
                }
                let own = asked.args.iter().flat_map(|a| self.own(a));
                value.join(&Value::tainted(own.collect()));
                value.join(&made());
                value
            }
            Deed::Container => {
                let number = self.object(asked.at);
                for value in asked.all() {
                    self.put_into(number, value);
                }
                let into = asked.args.first().cloned().unwrap_or_default();
                let object = Value::thing(Thing::Object(number));
                self.set_member(&object, &INTO.into(), &Value { taints: List::NONE, ..into });
                object
            }
            Deed::Characters => self.characters(asked),
            Deed::Ordinal => {
                let from = asked.args.first().cloned().unwrap_or_default();
                match from.only().and_then(Const::text).and_then(|t| t.chars().next()) {
                    Some(c) if from.taints.is_empty() => {
                        Value::constant(Const::Number(i64::from(u32::from(c))))
                    }
                    _ => Value::tainted(from.taints),
                }
            }
            Deed::Number => {
                let from = asked.args.first().cloned().unwrap_or_default();
                let base = match asked.args.get(1).and_then(Value::only) {
                    Some(Const::Number(n)) => u32::try_from(*n).unwrap_or(10).clamp(2, 36),
                    _ => 10,
                };
                let digits = from.only().and_then(Const::text);
                let number = digits.and_then(|t| {
                    i64::from_str_radix(t.trim().trim_start_matches("0x"), base).ok()
                });
                match (from.only(), number) {
                    (_, Some(n)) => Value::constant(Const::Number(n)),
                    (Some(Const::Number(n)), _) => Value::constant(Const::Number(*n)),
                    _ => {
                        let kept = |t: &Taint| {
                            !matches!(t.source, Source::Network(_) | Source::NetworkOf(..))
                        };
                        Value::tainted(from.taints.into_iter().filter(kept).collect())
                    }
                }
            }
            Deed::Temporary => {
                let name = format!("/tmp/%{}.{}", self.here.0, asked.at);
                let number = self.object(asked.at);
                let object = Value::thing(Thing::Object(number));
                let path = Value::text(&name);
                for key in ["0", "1", "name", "path"] {
                    self.set_member(&object, &key.into(), &path);
                }
                let mut value = path;
                if asked.path.starts_with("tempfile.") {
                    value.join(&object);
                }
                value
            }
            Deed::Each => {
                let Some((callee, lists)) = asked.args.split_first() else {
                    return Value::default();
                };
                let given: Vec<Value> = lists.iter().map(|l| self.element(l)).collect();
                let folds = asked.path.ends_with("reduce");
                let mut answer = match folds {
                    // From the last argument on, over and over.
                    true => {
                        let mut first = lists.get(1).cloned().unwrap_or_default();
                        for _ in 0..FOLDS_MAX {
                            let one = given.first().cloned().unwrap_or_default();
                            let next = self.invoke(
                                asked.at,
                                callee,
                                None,
                                &[first.clone(), one],
                                &[],
                                false,
                            );
                            if first.join(&next) == Growth::No {
                                break;
                            }
                        }
                        return first;
                    }
                    false => self.invoke(asked.at, callee, None, &given, &[], false),
                };
                answer.join(&Value::tainted(
                    given
                        .iter()
                        .flat_map(|g| g.taints.clone())
                        .filter(|t| t.source == Source::Piece)
                        .collect(),
                ));
                let number = self.object(asked.at);
                let object = Value::thing(Thing::Object(number));
                self.set_member(&object, &"[]".into(), &answer);
                object
            }
            Deed::Partial => {
                let Some((callee, rest)) = asked.args.split_first() else {
                    return Value::default();
                };
                let mut given = rest.to_vec();
                // Some take the arguments as a list.
                let list = match &**asked.path {
                    "Reflect.apply" => rest.get(1),
                    "Reflect.construct" => rest.first(),
                    _ => asked.named("args").or(rest.last()),
                };
                if let Some(list) = list {
                    // Their other arguments are what it is called on, or whose instance it makes.
                    if asked.path.starts_with("Reflect.") {
                        given = vec![self.element(list)];
                    }
                    given.extend(self.items(list));
                }
                let mut answer = Value::default();
                if !given.is_empty() {
                    answer = self.invoke(asked.at, callee, None, &given, asked.named, false);
                }
                answer.join(callee);
                answer
            }
            Deed::Getter => {
                let number = self.object(asked.at);
                let object = Value::thing(Thing::Object(number));
                for (nth, arg) in asked.args.iter().enumerate() {
                    self.set_member(&object, &nth.to_string().into(), arg);
                }
                let mut value = made();
                value.join(&object);
                value
            }
            Deed::Mask => {
                let step = self.step(asked.at, "takes a mask off".to_owned());
                let mut value =
                    Value::tainted(asked.args.iter().flat_map(|a| self.taints(a)).collect());
                value.join(&Value::taint(Taint::new(Source::Decoded, step)));
                value
            }
            Deed::SearchPath => {
                let mut given = List::NONE;
                for arg in asked.args {
                    given.extend(self.taints(arg));
                    let folders: Vec<String> =
                        arg.texts().filter(|t| t.len() > 3).map(|t| t.into_owned()).collect();
                    let inside = |path: &str| folders.iter().any(|f| path.starts_with(f.as_str()));
                    self.agenda.touch(Place::Files);
                    given.extend(
                        self.files
                            .iter()
                            .filter(|(p, _)| inside(p))
                            .flat_map(|(_, v)| v.taints.clone()),
                    );
                }
                self.feed_taints(asked, Sink::Interpreter, given);
                Value::default()
            }
            Deed::FeedAnswer(sink) => {
                let mut given = List::NONE;
                for callee in asked.args {
                    given.extend(self.taints(callee));
                    let answer = self.invoke(asked.at, callee, None, &[], &[], false);
                    given.extend(self.taints(&answer));
                }
                self.feed_taints(asked, sink, given);
                made()
            }
            Deed::Property => match asked.args.first() {
                Some(callee) => self.invoke(asked.at, callee, None, &[], &[], false),
                None => Value::default(),
            },
            Deed::Super => self.above(),
            Deed::Promise => {
                let number = self.object(asked.at);
                let settles = Value::path(&format!("{SETTLES}{number}"));
                if let Some(callee) = asked.args.first() {
                    self.invoke(asked.at, callee, None, &[settles.clone(), settles], &[], false);
                }
                self.element(&Value::thing(Thing::Object(number)))
            }
            Deed::Import => self.import(asked),
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
            Deed::Delete => {
                let file = asked.args.first().or(asked.base).cloned().unwrap_or_default();
                for text in file.texts() {
                    self.deleted.insert((self.here.0, asked.at, text.into_owned()));
                }
                Value::default()
            }
            Deed::Parent => {
                let from = asked.args.first().cloned().unwrap_or_default();
                let above =
                    |t: &str| t.rsplit_once('/').map_or(".".to_owned(), |(a, _)| a.to_owned());
                let texts: Vec<String> = from.texts().map(|t| above(&t)).collect();
                let mut value = Value::tainted(from.taints);
                texts.iter().for_each(|t| {
                    value.join(&Value::text(t));
                });
                value
            }
            Deed::Home => Value::text("~"),
            Deed::Keychain => {
                // An entry under a name of its own is a program's own secret; those of others are not.
                let service =
                    asked.args.first().and_then(|a| a.texts().next().map(|t| t.into_owned()));
                let names_one =
                    asked.path.ends_with("get_password") || asked.path.ends_with("getPassword");
                let kind = match service {
                    Some(service) if names_one && !known::is_of_others(&service) => {
                        "its own password"
                    }
                    _ => "keychain",
                };
                let step = self.step(asked.at, format!("`{}` reads a keychain", asked.path));
                Value::taint(Taint::new(Source::Secret(kind), step))
            }
            Deed::Forget => Value::default(),
        }
    }

    /// `operator.itemgetter("x")(y)`, `attrgetter`, `methodcaller`.
    fn got(&mut self, asked: &Asked<'_>, getter: &str) -> Value {
        let made = asked.base.map(|b| self.items(b)).unwrap_or_default();
        let Some(of) = asked.args.first() else { return Value::default() };
        let names: Vec<String> = made.first().map(|n| self.texts(n)).unwrap_or_default();
        let mut value = Value::default();
        for name in names {
            let member = self.member(of, &Name::from(name.as_str()));
            match getter {
                "methodcaller" => {
                    let rest = made.get(1..).unwrap_or_default();
                    value.join(&self.invoke(asked.at, &member, Some(of), rest, &[], false));
                }
                _ => {
                    value.join(&member);
                }
            }
        }
        value
    }

    /// Secrets that a name stands for: all of the environment, or one of its variables.
    pub(super) fn own(&self, value: &Value) -> List<Taint> {
        let mut found = List::NONE;
        for path in value.paths() {
            let path = path.trim_end_matches(".copy()").trim_end_matches(".items()");
            let variable = ["process.env", "os.environ", "Bun.env"]
                .iter()
                .find_map(|all| path.strip_prefix(all));
            let kind = match variable {
                Some("" | ".copy" | ".items") => Some("environment"),
                Some(name) => name.strip_prefix('.').and_then(known::secret_of_variable),
                None => None,
            };
            if let Some(kind) = kind {
                let step = self.step(0, format!("`{path}` ({kind})"));
                found.push(Taint::new(Source::Secret(kind), step));
            }
        }
        found
    }

    fn above(&self) -> Value {
        let (module, mut at) = self.here;
        let scopes =
            self.project.modules.get(module).map(|l| &l.module.scopes[..]).unwrap_or_default();
        while let Some(scope) = scopes.get(at) {
            if scope.is_class {
                return Value::thing(Thing::Instance(module, at));
            }
            match scope.parent {
                Some(parent) => at = parent,
                None => break,
            }
        }
        Value::default()
    }

    fn connected(&mut self, asked: &Asked<'_>) -> Value {
        let mut hosts = Value::default();
        for arg in asked.all() {
            let all = self.texts(arg);
            let all = all.iter().filter(|t| t.contains('.') && !t.contains('/'));
            all.for_each(|t| {
                hosts.join(&Value::text(&format!("tcp://{t}")));
            });
        }
        let sources = self.endpoints(&hosts);
        self.leaves(asked, &sources);
        let taints = self.fetched(asked, sources);
        self.patch("%connected".into(), &hosts);
        Value { taints, ..Value::path(&format!("{}()", asked.path)) }
    }

    /// Endpoints of a request: what it is given, the members of its options, what its client was made with.
    fn endpoints_of(&mut self, asked: &Asked<'_>, place: usize) -> Vec<Source> {
        if place == usize::MAX {
            let hosts = self.patch_of("%connected").cloned().unwrap_or_default();
            return self.endpoints(&hosts);
        }
        let mut given = asked.endpoint(place);
        for arg in asked.args {
            let objects = arg.things.iter().filter(|t| matches!(t, Thing::Object(_)));
            for object in objects.cloned().collect::<Vec<_>>() {
                for name in ENDPOINTS {
                    let field = self.field(&Value::thing(object.clone()), name);
                    if !name.starts_with("host") {
                        given.join(&Value { taints: List::NONE, ..field });
                        continue;
                    }
                    for text in field.texts().filter(|t| !t.contains('/') && t.contains('.')) {
                        given.join(&Value::text(&format!("https://{text}")));
                    }
                }
            }
        }
        self.endpoints(&given)
    }

    fn import(&mut self, asked: &Asked<'_>) -> Value {
        let mut value = Value::default();
        for text in asked.args.first().iter().flat_map(|a| a.texts()) {
            // Of data it is what it says; a library of the machine is told by its type.
            let is_data = text.ends_with(".json") || text.ends_with(".node");
            if self.language() == Language::JavaScript && text.contains('/') && !is_data {
                self.note_run(asked.at, Runs::File("node".to_owned(), text.to_string()));
            }
            value.join(&match self.language() {
                Language::JavaScript => self.exported(&Name::from(&*text)),
                _ => self.imported(&Name::from(&*text)),
            });
            if let (Some((first, _)), "__import__") = (text.split_once('.'), &**asked.path) {
                // It answers with the package, not with the module in it.
                value.join(&self.imported(&Name::from(first)));
            }
        }
        let given = asked.args.first().map(|a| self.taints(a)).unwrap_or_default();
        for taint in self.origins(given) {
            if !matches!(
                taint.source,
                Source::Secret(_) | Source::Piece | Source::Decoded | Source::Stored(_)
            ) {
                self.hit(asked.at, Some(Sink::Interpreter), &taint, None, "imports it".to_owned());
            }
        }
        value
    }

    /// Things of a list in their order.
    pub(super) fn items(&self, list: &Value) -> Vec<Value> {
        let mut places: Vec<(usize, Value)> = Vec::new();
        for thing in &list.things {
            let Thing::Object(number) = thing else { continue };
            let fields = self.object_of(*number).into_iter().flat_map(|fields| fields.iter());
            places.extend(fields.filter_map(|(k, v)| Some((k.parse().ok()?, v.clone()))));
        }
        places.sort_by_key(|(at, _)| *at);
        places.into_iter().map(|(_, v)| v).collect()
    }

    /// A text of numbers in a list; a long one may be a payload.
    pub(super) fn of_numbers(&self, at: Offset, list: &Value) -> Value {
        let Some(bytes) = self.bytes_of(list) else { return Value::default() };
        let long = match &bytes {
            Const::Text(text) => text.len() >= PAYLOAD_LEN_MIN,
            Const::Bytes(bytes) => bytes.len() >= PAYLOAD_LEN_MIN,
            Const::Number(_) => false,
        };
        let mut value = Value::constant(bytes);
        if long {
            let step = self.step(at, "puts numbers together to a text".to_owned());
            value.taints.push(Taint::new(Source::Decoded, step));
        }
        value
    }

    /// Numbers in a list, as the bytes or characters that they are.
    fn bytes_of(&self, list: &Value) -> Option<Const> {
        if !list.consts.is_empty() {
            return None;
        }
        let items = self.items(list);
        let numbers: Vec<u8> = items
            .iter()
            .map(|v| match v.only() {
                Some(Const::Number(n)) => u8::try_from(*n).ok(),
                _ => None,
            })
            .collect::<Option<_>>()?;
        (!numbers.is_empty()).then(|| match String::from_utf8(numbers) {
            Ok(text) => Const::Text(text.into()),
            Err(error) => Const::Bytes(error.into_bytes().into()),
        })
    }

    /// Characters of numbers: of one, of several, of those that it may be.
    fn characters(&mut self, asked: &Asked<'_>) -> Value {
        let number = |v: &Value| match v.only() {
            Some(Const::Number(n)) => u32::try_from(*n).ok().and_then(char::from_u32),
            _ => None,
        };
        let given: List<Taint> = asked.all().flat_map(|v| self.taints(v)).collect();
        let mut value = Value::tainted(given);
        let spread = asked.named("**").map(|list| self.items(list));
        let args = spread.as_deref().unwrap_or(asked.args);
        if let Some(text) = args.iter().map(number).collect::<Option<String>>() {
            value.join(&Value::text(&text));
        }
        let several = args.len() >= PAYLOAD_LEN_MIN && args.iter().all(|a| !a.consts.is_empty());
        let fetched = |t: &Taint| matches!(t.source, Source::Network(_) | Source::NetworkOf(..));
        let is_fetched = self.origins(value.taints.clone()).iter().any(fetched);
        let pieces = !is_fetched && self.is_made(&value);
        if let ([one], false) = (args, pieces) {
            // A letter by its number: with others it may be a payload.
            if one.only().is_some() {
                let step = self.step(asked.at, String::new());
                value.join(&Value::taint(Taint::new(Source::Piece, step)));
            }
        } else if several || pieces {
            let step = self.step(asked.at, format!("`{}` makes text of numbers", asked.path));
            value.join(&Value::taint(Taint::new(Source::Decoded, step)));
        }
        value
    }

    pub(super) fn write(&mut self, file: &Value, value: &Value) {
        for text in file.texts().map(|t| t.into_owned()).collect::<Vec<_>>() {
            if *value != Value::default() {
                let place = Place::named(&text);
                let grown = self.files.entry(text).or_default().join(value);
                self.agenda.grow(Place::Files, grown);
                self.agenda.grow(place, grown);
            }
        }
    }

    /// What a request brings in.
    pub(super) fn fetched(&mut self, asked: &Asked<'_>, sources: Vec<Source>) -> List<Taint> {
        self.fetches = true;
        let step = self.step(asked.at, format!("`{}` fetches", asked.path));
        sources.into_iter().map(|source| Taint::new(source, step.clone())).collect()
    }

    /// Secrets that leave with a request.
    pub(super) fn leaves(&mut self, asked: &Asked<'_>, sources: &[Source]) {
        let mut given: List<Taint> = asked.all().flat_map(|a| self.taints(a)).collect();
        given.extend(asked.all().flat_map(|a| self.own(a)));
        let endpoint = sources.iter().find_map(|s| match s {
            Source::Network(endpoint) => endpoint.clone(),
            Source::NetworkOf(m, s, n) => {
                let given = self.given_of(&(*m, *s, *n))?;
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
}

pub(super) fn shown(endpoint: Option<&Name>) -> String {
    endpoint.map_or_else(|| "an endpoint given from outside".to_owned(), |e| format!("`{e}`"))
}

/// The interpreter that runs the code itself.
pub(super) fn program_word(value: &Value) -> Option<String> {
    value.paths().find_map(|path| match path {
        "sys.executable" | "sys._base_executable" => Some("python3".to_owned()),
        "process.execPath" | "process.argv0" | "process.argv.0" => Some("node".to_owned()),
        _ => None,
    })
}

/// Lists and maps that a value may be.
pub(super) fn objects(value: &Value) -> impl Iterator<Item = usize> {
    value.things.iter().filter_map(|t| match t {
        Thing::Object(number) => Some(*number),
        _ => None,
    })
}
