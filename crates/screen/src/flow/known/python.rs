//! What Python and its libraries do.

use super::Deed::{self, *};
use super::{Coding, Sink};

/// What a function does.
pub fn deed(path: &str) -> Option<Deed> {
    let path = path.strip_prefix("builtins.").unwrap_or(path);
    let path = path.strip_prefix("__builtins__.").unwrap_or(path);
    Some(match path {
        "requests.get"
        | "requests.post"
        | "requests.put"
        | "requests.patch"
        | "requests.delete"
        | "requests.head"
        | "requests.api.get"
        | "requests.api.post"
        | "httpx.get"
        | "httpx.post"
        | "httpx.put"
        | "urllib.request.urlopen"
        | "urllib2.urlopen"
        | "urllib.urlopen"
        | "six.moves.urllib.request.urlopen"
        | "urllib.request.build_opener().open"
        | "websocket.create_connection"
        | "websockets.connect"
        | "websockets.sync.client.connect"
        | "websocket.WebSocketApp"
        | "xmlrpc.client.ServerProxy"
        | "web3.Web3.HTTPProvider"
        | "web3.HTTPProvider"
        | "boto3.client().get_object"
        | "ftplib.FTP"
        | "paramiko.SSHClient().connect"
        | "pycurl.Curl().setopt"
        | "feedparser.parse"
        | "pandas.read_csv"
        | "pandas.read_json" => Fetch(0),
        "requests.request"
        | "requests.api.request"
        | "httpx.request"
        | "httpx.stream"
        | "urllib3.request"
        | "aiohttp.request" => Fetch(1),
        "urllib.request.urlretrieve" | "urllib.urlretrieve" | "wget.download" => FetchFile(0),
        "dns.resolver.resolve" | "dns.resolver.query" | "dns.resolver.Resolver().resolve" => {
            Fetch(0)
        }
        "socket.socket().connect"
        | "socket.create_connection"
        | "asyncio.open_connection"
        | "telnetlib.Telnet"
        | "socket.socket().connect_ex" => Connect,
        "socket.socket().recv" | "socket.socket().recvfrom" | "socket.socket().makefile" => {
            Fetch(usize::MAX)
        }
        _ if client_method(path).is_some() => Fetch(usize::from(path.ends_with("request"))),
        "base64.b64decode"
        | "base64.urlsafe_b64decode"
        | "base64.standard_b64decode"
        | "base64.decodebytes"
        | "binascii.a2b_base64" => Decode(Coding::Base64),
        "base64.b32decode" => Decode(Coding::Base32),
        "base64.b85decode" | "base64.a85decode" => Decode(Coding::Base85),
        "bytes.fromhex" | "bytearray.fromhex" | "binascii.unhexlify" | "binascii.a2b_hex"
        | "base64.b16decode" => Decode(Coding::Hex),
        "zlib.decompress" => Decode(Coding::Zlib),
        "gzip.decompress" => Decode(Coding::Gzip),
        "lzma.decompress" | "bz2.decompress" => Decode(Coding::Other),
        "urllib.parse.unquote" | "urllib.parse.unquote_plus" | "urllib.unquote" => {
            Decode(Coding::Percent)
        }
        "codecs.decode" => DecodeAs,
        "exec"
        | "eval"
        | "compile"
        | "execfile"
        | "runpy.run_path"
        | "code.interact"
        | "types.FunctionType"
        | "types.CodeType"
        | "imp.load_source"
        | "imp.load_compiled"
        | "importlib.util.spec_from_file_location"
        | "importlib.machinery.SourceFileLoader"
        | "importlib.machinery.SourcelessFileLoader"
        | "zipimport.zipimporter"
        | "ctypes.CDLL"
        | "ctypes.cdll.LoadLibrary"
        | "timeit.timeit"
        | "cProfile.run"
        | "code.InteractiveConsole().push"
        | "pandas.eval"
        | "numexpr.evaluate"
        | "IPython.get_ipython().run_cell"
        | "IPython.get_ipython().ex"
        | "get_ipython().run_cell" => Feed(Sink::Interpreter),
        _ if path.ends_with(".runsource")
            || path.ends_with(".runcode")
            || path.ends_with(".exec_module") =>
        {
            Feed(Sink::Interpreter)
        }
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
        | "os.execlp"
        | "os.spawnv"
        | "os.spawnl"
        | "os.spawnlp"
        | "os.spawnvp"
        | "os.posix_spawn"
        | "os.startfile"
        | "pty.spawn"
        | "commands.getoutput"
        | "popen2.popen3"
        | "asyncio.create_subprocess_shell"
        | "asyncio.create_subprocess_exec"
        | "pexpect.spawn"
        | "pexpect.run"
        | "get_ipython().system"
        | "get_ipython().getoutput"
        | "plumbum.local"
        | "pip.main"
        | "pip._internal.main"
        | "pip._internal.cli.main.main"
        | "sh.bash"
        | "sh.sh"
        | "invoke.run" => FeedAll(Sink::Shell),
        "yaml.load"
        | "yaml.load_all"
        | "yaml.unsafe_load"
        | "yaml.unsafe_load_all"
        | "yaml.full_load"
        | "yaml.full_load_all"
        | "yaml.Loader"
        | "yaml.UnsafeLoader"
        | "ruamel.yaml.load"
        | "ruamel.yaml.YAML().load"
        | "pickle.loads"
        | "pickle.load"
        | "pickle.Unpickler"
        | "pickle._loads"
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
        | "jsonpickle.unpickler.decode"
        | "jsonpickle.unpickler.Unpickler().restore"
        | "jsonpickle.Unpickler().restore"
        | "torch.load"
        | "torch.hub.load"
        | "torch.hub.load_state_dict_from_url"
        | "joblib.load"
        | "pandas.read_pickle"
        | "pd.read_pickle"
        | "shelve.open"
        | "numpy.load"
        | "pickle5.loads"
        | "sklearn.externals.joblib.load"
        | "keras.models.load_model"
        | "klepto.archives.file_archive" => Feed(Sink::Deserialiser),
        _ if path.starts_with("jinja2.") && path.ends_with(".from_string") => FeedOptions(1),
        "jinja2.Template"
        | "jinja2.environment.Template"
        | "flask.render_template_string"
        | "mako.template.Template"
        | "tornado.template.Template"
        | "bottle.template"
        | "chameleon.PageTemplate" => FeedOptions(1),
        "jinja2.Environment" | "jinja2.environment.Environment" => FeedOptions(usize::MAX),
        "open"
        | "io.open"
        | "codecs.open"
        | "gzip.open"
        | "bz2.open"
        | "lzma.open"
        | "os.open"
        | "pathlib.Path().open"
        | "pathlib.Path().read_text"
        | "pathlib.Path().read_bytes"
        | "aiofiles.open"
        | "sqlite3.connect"
        | "os.listdir"
        | "os.scandir"
        | "os.walk"
        | "glob.glob"
        | "glob.iglob"
        | "pathlib.Path().glob"
        | "pathlib.Path().rglob"
        | "pathlib.Path().iterdir"
        | "linecache.getlines"
        | "fileinput.input"
        | "str.read_text"
        | "str.read_bytes"
        | "str.open"
        | "str.glob"
        | "str.rglob"
        | "str.iterdir"
        | "os.fdopen"
        | "pathlib.Path().resolve().read_text" => Open,
        _ if path.starts_with("pathlib.")
            && [".read_text", ".read_bytes", ".open", ".glob", ".rglob", ".iterdir"]
                .iter()
                .any(|m| path.ends_with(m)) =>
        {
            Open
        }
        "tempfile.mkstemp"
        | "tempfile.NamedTemporaryFile"
        | "tempfile.TemporaryFile"
        | "tempfile.mkdtemp"
        | "tempfile.TemporaryDirectory"
        | "tempfile.mktemp" => Temporary,
        "pathlib.Path().write_text"
        | "pathlib.Path().write_bytes"
        | "str.write_text"
        | "str.write_bytes" => Write,
        "shutil.copy" | "shutil.copy2" | "shutil.copyfile" | "shutil.copytree" | "shutil.move"
        | "os.rename" | "os.replace" => Copy,
        "os.remove" | "os.unlink" | "pathlib.Path().unlink" | "str.unlink" | "shutil.rmtree" => {
            Delete
        }
        "os.path.join" | "posixpath.join" | "ntpath.join" => JoinPath,
        "pathlib.Path.home" => Home,
        "os.path.dirname" => Parent,
        "str"
        | "bytes"
        | "bytearray"
        | "os.path.expanduser"
        | "os.path.expandvars"
        | "os.path.abspath"
        | "os.path.realpath"
        | "os.fspath"
        | "pathlib.Path"
        | "pathlib.PurePath"
        | "memoryview"
        | "textwrap.dedent"
        | "json.loads"
        | "json.load"
        | "json.dumps"
        | "iter"
        | "next"
        | "reversed"
        | "sorted"
        | "copy.copy"
        | "copy.deepcopy"
        | "ast.literal_eval"
        | "functools.wraps"
        | "functools.lru_cache"
        | "functools.cache"
        | "staticmethod"
        | "classmethod"
        | "asyncio.run"
        | "asyncio.gather"
        | "asyncio.create_task"
        | "asyncio.ensure_future"
        | "asyncio.wait_for"
        | "urllib.parse.urljoin"
        | "urllib.request.Request"
        | "urllib2.Request"
        | "yarl.URL"
        | "types.SimpleNamespace"
        | "inspect.cleandoc"
        | "vars"
        | "aiter"
        | "anext"
        | "typing.cast"
        | "contextlib.closing"
        | "contextlib.contextmanager"
        | "html.unescape" => Keep,
        "io.BytesIO"
        | "io.StringIO"
        | "dict"
        | "list"
        | "tuple"
        | "set"
        | "frozenset"
        | "collections.OrderedDict"
        | "collections.defaultdict"
        | "collections.deque"
        | "collections.ChainMap"
        | "zip"
        | "enumerate"
        | "queue.Queue"
        | "asyncio.Queue"
        | "zipfile.ZipFile"
        | "tarfile.open"
        | "itertools.chain"
        | "multiprocessing.Queue"
        | "aiohttp.FormData" => Container,
        "chr" | "unichr" => Characters,
        "ord" => Ordinal,
        "int" => Number,
        "map"
        | "filter"
        | "concurrent.futures.ThreadPoolExecutor().map"
        | "functools.reduce"
        | "multiprocessing.Pool().map"
        | "itertools.starmap" => Each,
        "functools.partial"
        | "functools.partialmethod"
        | "threading.Timer"
        | "asyncio.to_thread"
        | "atexit.register"
        | "concurrent.futures.ThreadPoolExecutor().submit"
        | "loop.run_in_executor"
        | "operator.call" => Partial,
        "property" | "functools.cached_property" | "cached_property.cached_property" => Property,
        "super" => Super,
        "operator.itemgetter" | "operator.attrgetter" | "operator.methodcaller" => Getter,
        "operator.xor" | "operator.__xor__" => Mask,
        "sys.path.insert" | "sys.path.append" | "sys.path.extend" | "site.addsitedir" => SearchPath,
        "jinja2.FunctionLoader" | "jinja2.DictLoader" | "jinja2.loaders.FunctionLoader" => {
            FeedAnswer(Sink::Template)
        }
        "__import__"
        | "importlib.import_module"
        | "importlib.__import__"
        | "imp.load_module"
        | "pkgutil.get_loader" => Import,
        "getattr" | "inspect.getattr_static" => Member,
        "keyring.get_password"
        | "keyring.get_credential"
        | "win32crypt.CryptUnprotectData"
        | "browser_cookie3.chrome"
        | "browser_cookie3.firefox"
        | "browser_cookie3.load"
        | "secretstorage.get_default_collection" => Keychain,
        _ if path.rsplit('.').next().is_some_and(|m| m.starts_with("decrypt")) => Decrypt,
        "Crypto.Cipher.ARC4.new().decrypt" => Decrypt,
        "len" | "float" | "bool" | "isinstance" | "issubclass" | "hash" | "id" | "type"
        | "pickle.dumps" | "pickle.dump" | "marshal.dumps" | "dill.dumps" | "cloudpickle.dumps"
        | "hashlib.sha256" | "hashlib.md5" | "hashlib.sha1" | "print" | "range"
        | "os.path.exists" | "os.path.isfile" | "os.path.isdir" | "hasattr" | "callable" => Forget,
        _ => return None,
    })
}

/// A method of a client that was made before: `requests.Session().get`.
fn client_method(path: &str) -> Option<&str> {
    const CLIENTS: [&str; 12] = [
        "requests.Session()",
        "requests.session()",
        "requests.sessions.Session()",
        "httpx.Client()",
        "httpx.AsyncClient()",
        "aiohttp.ClientSession()",
        "urllib3.PoolManager()",
        "http.client.HTTPSConnection()",
        "http.client.HTTPConnection()",
        "cloudscraper.create_scraper()",
        "requests_html.HTMLSession()",
        "requests_futures.sessions.FuturesSession()",
    ];
    const METHODS: [&str; 10] = [
        ".get",
        ".post",
        ".put",
        ".patch",
        ".delete",
        ".request",
        ".stream",
        ".getresponse",
        ".urlopen",
        ".ws_connect",
    ];
    let method = CLIENTS.iter().find_map(|client| path.strip_prefix(client))?;
    METHODS.contains(&method).then_some(method)
}
