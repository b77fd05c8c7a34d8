//! What libraries do with bytes: where they bring them in, decode them, run them. Names are those of the libraries; a call
//! of a name is the name and `()`.

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
    /// Takes an encoding off its first argument.
    Decode(Coding),
    /// Hands its arguments to what runs them.
    Feed(Sink),
    /// Opens a file.
    Open,
    /// Puts names of a path together.
    JoinPath,
    /// Keeps what it is given: names, paths, bytes in another type.
    Keep,
    /// Characters of numbers.
    Characters,
    /// Imports the module that its argument names.
    Import,
    /// The member that its second argument names.
    Member,
    /// Says nothing of what went in.
    Forget,
}

/// What a library's function does.
#[must_use]
pub fn deed(path: &str) -> Option<Deed> {
    use Deed::{
        Characters, Decode, Feed, Fetch, FetchFile, Forget, Import, JoinPath, Keep, Member, Open,
    };
    let path = path.strip_prefix("builtins.").unwrap_or(path);
    let path = path.strip_prefix("__builtins__.").unwrap_or(path);
    Some(match path {
        "requests.get"
        | "requests.post"
        | "requests.put"
        | "requests.patch"
        | "requests.delete"
        | "requests.head"
        | "httpx.get"
        | "httpx.post"
        | "httpx.put"
        | "urllib.request.urlopen"
        | "urllib2.urlopen"
        | "urllib.urlopen"
        | "aiohttp.request"
        | "urllib3.request"
        | "six.moves.urllib.request.urlopen" => {
            Fetch(usize::from(path == "urllib3.request" || path == "aiohttp.request"))
        }
        "requests.request" | "httpx.request" | "httpx.stream" => Fetch(1),
        "urllib.request.urlretrieve" | "wget.download" => FetchFile(0),
        _ if is_client_call(path) => Fetch(usize::from(path.ends_with("request"))),
        "base64.b64decode"
        | "base64.urlsafe_b64decode"
        | "base64.standard_b64decode"
        | "base64.decodebytes"
        | "binascii.a2b_base64" => Decode(Coding::Base64),
        "bytes.fromhex" | "bytearray.fromhex" | "binascii.unhexlify" | "binascii.a2b_hex"
        | "base64.b16decode" => Decode(Coding::Hex),
        "zlib.decompress" => Decode(Coding::Zlib),
        "gzip.decompress" => Decode(Coding::Gzip),
        "exec"
        | "eval"
        | "compile"
        | "execfile"
        | "runpy.run_path"
        | "code.interact"
        | "types.FunctionType"
        | "types.CodeType"
        | "imp.load_source"
        | "importlib.util.spec_from_file_location" => Feed(Sink::Interpreter),
        _ if path.ends_with(".runsource") || path.ends_with(".runcode") => Feed(Sink::Interpreter),
        "os.system"
        | "os.popen"
        | "subprocess.run"
        | "subprocess.Popen"
        | "subprocess.call"
        | "subprocess.check_call"
        | "subprocess.check_output"
        | "subprocess.getoutput"
        | "subprocess.getstatusoutput"
        | "os.execv"
        | "os.execve"
        | "os.execl"
        | "os.execvp"
        | "os.spawnv"
        | "os.startfile"
        | "pty.spawn"
        | "commands.getoutput"
        | "asyncio.create_subprocess_shell"
        | "asyncio.create_subprocess_exec" => Feed(Sink::Shell),
        "yaml.load"
        | "yaml.load_all"
        | "yaml.unsafe_load"
        | "yaml.unsafe_load_all"
        | "yaml.full_load"
        | "yaml.full_load_all"
        | "pickle.loads"
        | "pickle.load"
        | "pickle.Unpickler"
        | "cPickle.loads"
        | "cPickle.load"
        | "_pickle.loads"
        | "_pickle.load"
        | "marshal.loads"
        | "marshal.load"
        | "dill.loads"
        | "dill.load"
        | "cloudpickle.loads"
        | "cloudpickle.load"
        | "jsonpickle.decode"
        | "jsonpickle.loads"
        | "torch.load"
        | "joblib.load"
        | "pandas.read_pickle"
        | "shelve.open" => Feed(Sink::Deserialiser),
        _ if path.starts_with("jinja2.Environment()") && path.ends_with(".from_string") => {
            Feed(Sink::Template)
        }
        "jinja2.Template" => Feed(Sink::Template),
        "open" | "io.open" | "codecs.open" | "pathlib.Path().open" => Open,
        "os.path.join" | "posixpath.join" => JoinPath,
        "str" | "bytes" | "bytearray" | "io.BytesIO" | "io.StringIO" | "os.path.expanduser"
        | "os.path.expandvars" | "os.path.abspath" | "pathlib.Path" | "memoryview"
        | "textwrap.dedent" | "json.loads" | "json.load" | "json.dumps" | "dict" | "list"
        | "tuple" | "reversed" | "sorted" | "iter" | "next" => Keep,
        "chr" | "unichr" => Characters,
        "__import__" | "importlib.import_module" => Import,
        "getattr" => Member,
        "len" | "int" | "float" | "bool" | "isinstance" | "issubclass" | "hash" | "id" | "type"
        | "pickle.dumps" | "pickle.dump" | "marshal.dumps" | "dill.dumps" | "cloudpickle.dumps"
        | "hashlib.sha256" | "hashlib.md5" | "hashlib.sha1" | "print" | "range"
        | "enumerate_len" => Forget,
        _ => return None,
    })
}

/// A method of a client that was made before: `requests.Session().get`.
fn is_client_call(path: &str) -> bool {
    const CLIENTS: [&str; 9] = [
        "requests.Session()",
        "requests.session()",
        "requests.sessions.Session()",
        "httpx.Client()",
        "httpx.AsyncClient()",
        "aiohttp.ClientSession()",
        "urllib3.PoolManager()",
        "http.client.HTTPSConnection()",
        "http.client.HTTPConnection()",
    ];
    let method = CLIENTS.iter().find_map(|client| path.strip_prefix(client));
    matches!(
        method,
        Some(
            ".get"
                | ".post"
                | ".put"
                | ".patch"
                | ".request"
                | ".stream"
                | ".getresponse"
                | ".urlopen"
        )
    )
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

/// Kinds of secrets by what stands in a path, and whether one alone is enough to block (B3).
const SECRETS: [(&str, &str, bool); 26] = [
    (".ssh/", "ssh keys", false),
    ("id_rsa", "ssh keys", false),
    ("id_ed25519", "ssh keys", false),
    (".aws/credentials", "cloud credentials", false),
    (".config/gcloud", "cloud credentials", false),
    (".azure/", "cloud credentials", false),
    (".kube/config", "cluster credentials", false),
    (".docker/config.json", "registry credentials", false),
    (".npmrc", "registry credentials", false),
    (".pypirc", "registry credentials", false),
    (".netrc", "passwords", false),
    (".git-credentials", "passwords", false),
    (".gnupg", "pgp keys", false),
    ("Login Data", "browser store", true),
    ("Local State", "browser store", true),
    ("Cookies", "browser store", true),
    ("logins.json", "browser store", true),
    ("key4.db", "browser store", true),
    ("User Data/Default", "browser store", true),
    ("Local Extension Settings", "wallet", true),
    ("nkbihfbeogaeaoehlefnkodbefgpgknn", "wallet", true),
    ("bfnaelmomeimhlpmgjnjophhpkkoljpa", "wallet", true),
    ("wallet.dat", "wallet", true),
    (".config/solana/id.json", "wallet", true),
    (".ethereum/keystore", "wallet", true),
    ("Keychains", "keychain", true),
];

/// The kind of secret that a path leads to.
#[must_use]
pub fn secret_of_path(path: &str) -> Option<&'static str> {
    let path = path.replace('\\', "/");
    SECRETS.iter().find(|(part, ..)| path.contains(part)).map(|(_, kind, _)| *kind)
}

/// Whether one secret of a kind is enough to block.
#[must_use]
pub fn is_strong(kind: &str) -> bool {
    SECRETS.iter().any(|(_, k, strong)| *k == kind && *strong)
}
