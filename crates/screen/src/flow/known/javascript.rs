//! What JavaScript, Node.js and the libraries of npm do.

use super::Deed::{self, *};
use super::{Coding, Sink};

/// A name without what says the same: the global object, the default export.
fn plain(path: &str) -> &str {
    let mut path = path;
    loop {
        let globals =
            ["globalThis.", "global.", "window.", "self.", "root.", "process.mainModule."];
        match globals.iter().find_map(|g| path.strip_prefix(g)) {
            Some(rest) => path = rest,
            None => return path,
        }
    }
}

/// What a function does.
pub fn deed(path: &str) -> Option<Deed> {
    let stripped;
    let mut path = plain(path);
    if path.contains(".default") {
        stripped = path.replace(".default", "");
        path = &stripped;
    }
    Some(match path {
        "fetch"
        | "axios"
        | "node-fetch"
        | "cross-fetch"
        | "isomorphic-fetch"
        | "isomorphic-unfetch"
        | "undici.fetch"
        | "undici.request"
        | "got"
        | "request"
        | "superagent"
        | "needle"
        | "ky"
        | "phin"
        | "bent"
        | "wretch"
        | "ofetch"
        | "ofetch.ofetch"
        | "make-fetch-happen"
        | "minipass-fetch"
        | "request-promise"
        | "request-promise-native"
        | "simple-get"
        | "simple-get.concat"
        | "http.get"
        | "https.get"
        | "http.request"
        | "https.request"
        | "http2.connect"
        | "WebSocket"
        | "ws"
        | "ws.WebSocket"
        | "socket.io-client"
        | "socket.io-client.io"
        | "io"
        | "EventSource"
        | "eventsource"
        | "$.get"
        | "$.ajax"
        | "$.getJSON"
        | "jQuery.get"
        | "jQuery.ajax"
        | "$fetch"
        | "useFetch"
        | "Bun.fetch"
        | "axios.create()"
        | "got.stream"
        | "ethers.JsonRpcProvider"
        | "ethers.providers.JsonRpcProvider"
        | "web3"
        | "Web3"
        | "dns.resolveTxt"
        | "dns.promises.resolveTxt"
        | "dns.resolve"
        | "@solana.web3.js.Connection"
        | "follow-redirects.https.get"
        | "follow-redirects.http.get"
        | "needle.needle" => Fetch(0),
        "net.connect" | "net.createConnection" | "tls.connect" | "net.Socket().connect" => Connect,
        "needle.request" | "needle.needle.request" => Fetch(1),
        _ if client_method(path) => Fetch(usize::from(path.starts_with("needle"))),
        "download" | "node-downloader-helper.DownloaderHelper" => FetchFile(0),
        "atob"
        | "base-64.decode"
        | "js-base64.decode"
        | "js-base64.Base64.decode"
        | "js-base64.Base64.atob"
        | "Base64.decode"
        | "abab.atob"
        | "Buffer.atob"
        | "buffer.atob" => Decode(Coding::Base64),
        "Buffer.from" | "buffer.Buffer.from" | "Buffer" | "buffer.Buffer" | "Uint8Array.from"
        | "Uint8Array" => DecodeAs,
        "zlib.inflateSync"
        | "zlib.inflate"
        | "pako.inflate"
        | "fflate.unzlibSync"
        | "zlib.unzipSync"
        | "zlib.inflateRawSync" => Decode(Coding::Zlib),
        "zlib.gunzipSync" | "zlib.gunzip" | "pako.ungzip" | "fflate.gunzipSync" => {
            Decode(Coding::Gzip)
        }
        "decodeURIComponent" | "decodeURI" | "unescape" | "querystring.unescape" => {
            Decode(Coding::Percent)
        }
        "zlib.brotliDecompressSync"
        | "lz-string.decompress"
        | "lz-string.decompressFromBase64"
        | "LZString.decompressFromBase64"
        | "bs58.decode" => Decode(Coding::Other),
        "eval"
        | "Function"
        | "Function.constructor"
        | "Function.constructor.constructor"
        | "execScript"
        | "require-from-string"
        | "requireFromString"
        | "eval5.Interpreter"
        | "node-eval"
        | "safe-eval"
        | "vm2.VM().run"
        | "vm2.NodeVM().run"
        | "importScripts"
        | "process.dlopen"
        | "worker_threads.Worker"
        | "Worker"
        | "Deno.eval"
        | "Script"
        | "AsyncFunction"
        | "GeneratorFunction"
        | "isolated-vm.Isolate().compileScriptSync"
        | "expression-eval.eval"
        | "static-eval" => FeedAll(Sink::Interpreter),
        "vm.runInThisContext"
        | "vm.runInNewContext"
        | "vm.runInContext"
        | "vm.Script"
        | "vm.compileFunction"
        | "vm.SourceTextModule"
        | "setTimeout"
        | "setInterval" => Feed(Sink::Interpreter),
        _ if path.ends_with("._compile") => Feed(Sink::Interpreter),
        _ if path.ends_with(".constructor") && makes_functions(path) => FeedAll(Sink::Interpreter),
        "child_process.exec"
        | "child_process.execSync"
        | "child_process.spawn"
        | "child_process.spawnSync"
        | "child_process.execFile"
        | "child_process.execFileSync"
        | "child_process.fork"
        | "execa"
        | "execa.execa"
        | "execa.execaSync"
        | "execa.execaCommand"
        | "execa.command"
        | "execa.sync"
        | "execa.commandSync"
        | "cross-spawn"
        | "cross-spawn.sync"
        | "cross-spawn.spawn"
        | "shelljs.exec"
        | "zx.$"
        | "$"
        | "sudo-prompt.exec"
        | "node-pty.spawn"
        | "Bun.spawn"
        | "Bun.$"
        | "Deno.run"
        | "Deno.Command"
        | "tinyexec.x"
        | "nano-spawn" => FeedAll(Sink::Shell),
        "node-serialize.unserialize"
        | "serialize-to-js.deserialize"
        | "funcster.deepDeserialize"
        | "cryo.parse"
        | "serialijse.deserialize"
        | "js-yaml.load"
        | "js-yaml.loadAll"
        | "js-yaml.safeLoad"
        | "seroval.deserialize"
        | "serialize-javascript.deserialize"
        | "php-unserialize" => Feed(Sink::Deserialiser),
        "ejs.render" | "ejs.renderFile" => FeedOptions(2),
        "ejs.compile"
        | "pug.compile"
        | "pug.render"
        | "pug.renderFile"
        | "pug.compileFile"
        | "pug.compileClient"
        | "jade.compile"
        | "jade.render"
        | "handlebars.compile"
        | "handlebars.precompile"
        | "handlebars.template"
        | "hbs.compile"
        | "Handlebars.compile"
        | "Handlebars.template"
        | "nunjucks.renderString"
        | "nunjucks.compile"
        | "nunjucks.configure().renderString"
        | "nunjucks.Environment().renderString"
        | "nunjucks.Template"
        | "nunjucks.configure"
        | "lodash.template"
        | "_.template"
        | "underscore.template"
        | "dot.template"
        | "doT.template"
        | "eta.renderString"
        | "eta.render"
        | "eta.Eta().renderString"
        | "squirrelly.render"
        | "art-template.render"
        | "art-template.compile"
        | "art-template"
        | "twig.twig"
        | "swig.render"
        | "swig.compile"
        | "vue.compile"
        | "Vue.compile"
        | "hogan.compile"
        | "velocityjs.render"
        | "marko.compile"
        | "ect().render" => FeedOptions(1),
        "fs.readFileSync"
        | "fs.readFile"
        | "fs.promises.readFile"
        | "fs.createReadStream"
        | "fs.readdirSync"
        | "fs.readdir"
        | "fs.promises.readdir"
        | "fs.openSync"
        | "fs.open"
        | "fs.promises.open"
        | "fs-extra.readFile"
        | "fs-extra.readFileSync"
        | "fs-extra.readJson"
        | "fs-extra.readJsonSync"
        | "fs-extra.readdirSync"
        | "fs-extra.createReadStream"
        | "graceful-fs.readFileSync"
        | "Bun.file"
        | "glob.sync"
        | "glob.globSync"
        | "glob"
        | "fast-glob.sync"
        | "fast-glob"
        | "globby"
        | "sqlite3.Database"
        | "better-sqlite3"
        | "level"
        | "classic-level.ClassicLevel"
        | "fs.createWriteStream"
        | "fs-extra.createWriteStream"
        | "Deno.readTextFile" => Open,
        "fs.writeFileSync"
        | "fs.writeFile"
        | "fs.promises.writeFile"
        | "fs.appendFileSync"
        | "fs.appendFile"
        | "fs.promises.appendFile"
        | "fs-extra.writeFile"
        | "fs-extra.writeFileSync"
        | "fs-extra.outputFile"
        | "fs-extra.outputFileSync"
        | "Bun.write"
        | "fs.writeSync"
        | "graceful-fs.writeFileSync"
        | "write-file-atomic"
        | "write-file-atomic.sync" => Write,
        "fs.copyFileSync"
        | "fs.copyFile"
        | "fs.promises.copyFile"
        | "fs.cpSync"
        | "fs.renameSync"
        | "fs.rename"
        | "fs-extra.copySync"
        | "fs-extra.copy"
        | "fs.promises.rename"
        | "fs.promises.cp" => Copy,
        "fs.unlinkSync"
        | "fs.unlink"
        | "fs.rmSync"
        | "fs.rm"
        | "fs.promises.unlink"
        | "fs.promises.rm"
        | "fs-extra.remove"
        | "fs-extra.removeSync"
        | "rimraf"
        | "rimraf.sync"
        | "del.sync" => Delete,
        "path.join" | "path.resolve" | "path.posix.join" | "path.win32.join" | "upath.join" => {
            JoinPath
        }
        "path.dirname" => Parent,
        "os.homedir" | "os.userInfo" => Home,
        "String"
        | "String.raw"
        | "JSON.parse"
        | "JSON.stringify"
        | "Array.from"
        | "Array.of"
        | "Promise.resolve"
        | "Promise.all"
        | "Promise.allSettled"
        | "Promise.race"
        | "Promise.any"
        | "util.promisify"
        | "promisify"
        | "path.normalize"
        | "path.toNamespacedPath"
        | "Object.freeze"
        | "Object.create"
        | "Object.fromEntries"
        | "structuredClone"
        | "URL"
        | "url.URL"
        | "url.parse"
        | "Request"
        | "Symbol"
        | "TextDecoder().decode"
        | "util.TextDecoder().decode"
        | "stream.Readable.from"
        | "fs.realpathSync"
        | "url.fileURLToPath"
        | "util.inspect"
        | "querystring.stringify"
        | "Buffer.concat"
        | "events.once"
        | "stream.PassThrough"
        | "util.callbackify"
        | "async-retry"
        | "lodash.memoize"
        | "lodash.once"
        | "Reflect.ownKeys" => Keep,
        "Object.values"
        | "Object.entries"
        | "Object.keys"
        | "Object.assign"
        | "Map"
        | "Set"
        | "WeakMap"
        | "WeakSet"
        | "Array"
        | "Object"
        | "FormData"
        | "form-data"
        | "URLSearchParams"
        | "Headers"
        | "Blob"
        | "File"
        | "formdata-node.FormData"
        | "undici.FormData"
        | "adm-zip"
        | "jszip"
        | "archiver"
        | "events"
        | "events.EventEmitter"
        | "EventEmitter"
        | "stream.Transform"
        | "stream.Writable"
        | "url.URLSearchParams" => Container,
        "String.fromCharCode" | "String.fromCodePoint" => Characters,
        "parseInt" | "Number.parseInt" | "Number" => Number,
        "os.tmpdir" | "fs.mkdtempSync" | "tmp.fileSync" | "tmp.tmpNameSync" | "tempy.file" => {
            Temporary
        }
        "Reflect.apply" | "Reflect.construct" | "process.nextTick" | "queueMicrotask"
        | "lodash.partial" | "_.partial" | "lodash.defer" => Partial,
        "Reflect.get" => Member,
        "Promise" => Promise,
        "import"
        | "require"
        | "module.require"
        | "require.main.require"
        | "import-fresh"
        | "require-uncached"
        | "module.createRequire()"
        | "createRequire()"
        | "module.Module._load"
        | "module._load"
        | "Module._load" => Import,
        "keytar.getPassword"
        | "keytar.findCredentials"
        | "keytar.findPassword"
        | "win-dpapi.unprotectData" => Keychain,
        _ if path.contains("ecipher")
            || path.rsplit('.').next().is_some_and(|m| m.starts_with("decrypt")) =>
        {
            Decrypt
        }
        _ if path.starts_with("crypto-js.") && path.ends_with(".decrypt") => Decrypt,
        "Boolean" | "isNaN" | "Array.isArray" | "console.log" | "console.error"
        | "console.warn" | "console.info" | "console.debug" | "fs.existsSync" | "fs.statSync"
        | "typeof" => Forget,
        _ => return None,
    })
}

/// Functions that make functions, reached through some other one.
fn makes_functions(path: &str) -> bool {
    path.starts_with("str.")
        || path.starts_with("[].")
        || path.starts_with("Function")
        || path.starts_with("Object.getPrototypeOf()")
        || path.starts_with("Reflect.getPrototypeOf()")
        || path.starts_with("Array.")
        || path.starts_with("String.")
        || path.starts_with("Object.") && !path.contains("()")
}

/// A method of a client: `axios.get`, `got.post`, of one that was made before too: `axios.create().get`.
fn client_method(path: &str) -> bool {
    const CLIENTS: [&str; 27] = [
        "axios.create()",
        "axios.Axios()",
        "axios",
        "got.extend()",
        "got",
        "request.defaults()",
        "request-promise",
        "request",
        "superagent.agent()",
        "superagent",
        "needle",
        "ky.create()",
        "ky.extend()",
        "ky",
        "bent()",
        "undici.Client()",
        "undici.Agent()",
        "undici.Pool()",
        "undici",
        "http2.connect()",
        "follow-redirects.https",
        "follow-redirects.http",
        "wretch()",
        "ofetch.create()",
        "phin",
        "fetch",
        "XMLHttpRequest()",
    ];
    const METHODS: [&str; 11] = [
        ".get", ".post", ".put", ".patch", ".delete", ".head", ".request", ".stream", ".fetch",
        ".getUri", ".del",
    ];
    CLIENTS.iter().any(|c| path.strip_prefix(c).is_some_and(|m| METHODS.contains(&m)))
}
