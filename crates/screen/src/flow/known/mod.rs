//! What libraries do with bytes: where they bring them in, decode them, run them. Names are those of the libraries; a call
//! of a name is the name and `()`.

mod javascript;
mod python;
mod secrets;

pub use secrets::{
    TOKEN_OF_GITHUB, TOKEN_OF_NPM, disarms, is_of_others, is_strong, persists, secret_of_path,
    secret_of_variable,
};

use super::engine::Language;
use super::fold::Coding;

/// What runs or builds whatever it is given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sink {
    /// An interpreter in this process.
    Interpreter,
    /// A shell or another process.
    Shell,
    /// A deserialiser that builds whatever the bytes name.
    Deserialiser,
    /// A template engine that takes code among its options.
    Template,
}

impl Sink {
    /// Its rule.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Interpreter => "network-to-interpreter",
            Self::Shell => "network-to-shell",
            Self::Deserialiser => "network-to-deserialiser",
            Self::Template => "network-to-template",
        }
    }
}

/// What a name does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// Brings bytes in from the network; the endpoint is this argument, or one of these names.
    Fetch(usize),
    /// The same, into a file that is the argument after it.
    FetchFile(usize),
    /// Connects a socket to a host and port.
    Connect,
    /// Takes an encoding off its first argument.
    Decode(Coding),
    /// Takes an encoding off that its second argument names.
    DecodeAs,
    /// Takes an encryption off.
    Decrypt,
    /// Hands its first argument to what runs it.
    Feed(Sink),
    /// Hands these arguments, from the first of them on, to what runs them.
    FeedAll(Sink),
    /// Hands its first argument to a template engine, and the options that are this argument.
    FeedOptions(usize),
    /// Opens a file.
    Open,
    /// Writes its second argument into the file that the first names.
    Write,
    /// Copies a file.
    Copy,
    /// Takes a file away.
    Delete,
    /// The folder that something lies in.
    Parent,
    /// Puts names of a path together.
    JoinPath,
    /// Keeps what it is given: names, paths, bytes in another type.
    Keep,
    /// Makes a list or map with what it is given.
    Container,
    /// Characters of numbers.
    Characters,
    /// The number of a character.
    Ordinal,
    /// A number out of digits, to the base that its second argument says.
    Number,
    /// A file or folder for a while.
    Temporary,
    /// Calls its first argument with every element of the others.
    Each,
    /// Calls its first argument with those after it, now or later.
    Partial,
    /// Something that takes a member of what it is given later.
    Getter,
    /// Exclusive or.
    Mask,
    /// Folders out of which code is imported.
    SearchPath,
    /// What its argument answers is handed to what runs it.
    FeedAnswer(Sink),
    /// What its first argument answers.
    Property,
    /// The instance that is at hand, as what its class is made from.
    Super,
    /// A promise: its first argument is given what settles it.
    Promise,
    /// Imports the module that its argument names.
    Import,
    /// The member that its second argument names.
    Member,
    /// The folder of the person.
    Home,
    /// A password out of a keychain.
    Keychain,
    /// Says nothing of what went in.
    Forget,
}

/// What a library's function does.
#[must_use]
pub fn deed(language: Language, path: &str) -> Option<Deed> {
    match language {
        Language::Python => python::deed(path),
        Language::JavaScript => javascript::deed(path),
        Language::Shell => None,
    }
}

/// Whether a name does something in any language.
#[must_use]
pub fn does_something(path: &str) -> bool {
    python::deed(path).or_else(|| javascript::deed(path)).is_some()
}

/// Hosts of registries, from which code is fetched to be run by everybody's installers.
const REGISTRIES: [&str; 9] = [
    "pypi.org",
    "files.pythonhosted.org",
    "bootstrap.pypa.io",
    "test.pypi.org",
    "registry.npmjs.org",
    "nodejs.org",
    "crates.io",
    "static.crates.io",
    "proxy.golang.org",
];

/// Whether an endpoint is a registry: by its host, not by its text.
#[must_use]
pub fn is_registry(host: &str) -> bool {
    REGISTRIES.contains(&host)
}

/// Whether a loader of YAML builds plain values only.
#[must_use]
pub fn is_safe_loader(path: &str) -> bool {
    path.ends_with("SafeLoader") || path.ends_with("BaseLoader")
}
