//! The language of shells, brought down to what flows where: a command is a call of its name, what is piped into it an
//! argument. Parsed by `tree-sitter-bash`, which reads on after errors.

use tree_sitter::Node;

use crate::flow::ir::{Call, Expr, Module, Name, Scope, Stmt};

/// What is piped into a command.
pub const STDIN: &str = "stdin";
/// The file that a command's output goes to.
pub const INTO: &str = ">";
/// The file that a command reads.
pub const FROM: &str = "<";
/// Nesting that is read.
const DEPTH_MAX: u32 = 200;

/// Reads a script or a command line. The second is the first error's offset, if there is one.
#[must_use]
pub fn lower(source: &str) -> (Module, Option<u32>) {
    let mut module = Module { scopes: vec![Scope::default()] };
    let mut parser = tree_sitter::Parser::new();
    if parser.set_language(&tree_sitter_bash::LANGUAGE.into()).is_err() {
        return (module, Some(0));
    }
    let Some(tree) = parser.parse(source, None) else { return (module, Some(0)) };
    let mut lower = Lower { source, module: &mut module, at: 0, depth: 0, error: None };
    lower.statements(tree.root_node());
    let error = lower.error;
    (module, error)
}

struct Lower<'a> {
    source: &'a str,
    module: &'a mut Module,
    at: usize,
    depth: u32,
    error: Option<u32>,
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).collect()
}

fn offset(node: Node<'_>) -> u32 {
    u32::try_from(node.start_byte()).unwrap_or(u32::MAX)
}

/// A variable's name in the code.
fn variable(name: &str) -> Expr {
    Expr::Name(format!("${name}").into())
}

impl Lower<'_> {
    fn text(&self, node: Node<'_>) -> &str {
        self.source.get(node.byte_range()).unwrap_or_default()
    }

    fn push(&mut self, stmt: Stmt) {
        if let Some(scope) = self.module.scopes.get_mut(self.at) {
            scope.body.push(stmt);
        }
    }

    fn statements(&mut self, node: Node<'_>) {
        for child in children(node) {
            let value = self.statement(child);
            // What the last of them prints is what all of it prints.
            if !matches!(value, Expr::Nothing) {
                self.push(Stmt::Return(value));
            }
        }
    }

    /// A statement, and what it prints.
    fn statement(&mut self, node: Node<'_>) -> Expr {
        if self.depth >= DEPTH_MAX {
            self.error.get_or_insert(offset(node));
            return Expr::Nothing;
        }
        self.depth += 1;
        let value = self.statement_of(node);
        self.depth -= 1;
        value
    }

    fn statement_of(&mut self, node: Node<'_>) -> Expr {
        match node.kind() {
            "command" => self.command(node, Vec::new()),
            "pipeline" => {
                let mut piped = Expr::Nothing;
                for part in children(node) {
                    piped = self.piped(part, piped);
                }
                piped
            }
            "redirected_statement" => self.redirected(node, Expr::Nothing),
            "variable_assignment" => {
                self.assignment(node);
                Expr::Nothing
            }
            "declaration_command" | "variable_assignments" => {
                for child in children(node) {
                    if child.kind() == "variable_assignment" {
                        self.assignment(child);
                    }
                }
                Expr::Nothing
            }
            "function_definition" => {
                let name = node.child_by_field_name("name").map(|n| self.text(n).to_owned());
                let name = name.unwrap_or_default();
                let number = self.module.scopes.len();
                let params = (1..=4).map(|n| (Name::from(format!("${n}")), None)).collect();
                self.module.scopes.push(Scope {
                    name: name.clone(),
                    parent: Some(self.at),
                    params,
                    // Variables of functions are those of the script.
                    declared: Some(std::collections::HashSet::new()),
                    ..Scope::default()
                });
                let outer = std::mem::replace(&mut self.at, number);
                if let Some(body) = node.child_by_field_name("body") {
                    self.statements(body);
                }
                self.at = outer;
                self.push(Stmt::Assign(Expr::Name(name.as_str().into()), Expr::Function(number)));
                Expr::Nothing
            }
            "for_statement" => {
                let name = node.child_by_field_name("variable").map(|n| self.text(n).to_owned());
                let mut cursor = node.walk();
                let over: Vec<Node<'_>> =
                    node.children_by_field_name("value", &mut cursor).collect();
                let over = over.into_iter().map(|n| self.word(n)).collect();
                if let Some(name) = name {
                    self.push(Stmt::Assign(variable(&name), Expr::Either(over)));
                }
                node.child_by_field_name("body").iter().for_each(|body| self.statements(*body));
                Expr::Nothing
            }
            "comment" | "heredoc_body" | "heredoc_end" | "word" | "number" => Expr::Nothing,
            "ERROR" => {
                self.error.get_or_insert(offset(node));
                self.statements(node);
                Expr::Nothing
            }
            // Lists, branches, loops, groups: whatever may run, runs.
            _ => {
                let mut all = Vec::new();
                for child in children(node) {
                    let value = self.statement(child);
                    if !matches!(value, Expr::Nothing) {
                        all.push(value);
                    }
                }
                match all.len() {
                    0 => Expr::Nothing,
                    _ => Expr::Either(all),
                }
            }
        }
    }

    fn assignment(&mut self, node: Node<'_>) {
        let name = node.child_by_field_name("name").map(|n| self.text(n).to_owned());
        let value = node.child_by_field_name("value").map(|n| self.word(n));
        if let (Some(name), Some(value)) = (name, value) {
            self.push(Stmt::Assign(variable(&name), value));
        }
    }

    /// A part of a pipeline.
    fn piped(&mut self, node: Node<'_>, stdin: Expr) -> Expr {
        let given = || vec![(Name::from(STDIN), stdin.clone())];
        match node.kind() {
            "command" => self.command(node, given()),
            "redirected_statement" => self.redirected(node, stdin),
            // A group or loop whose commands read what is piped.
            _ => {
                let read = Stmt::Assign(variable("REPLY"), stdin.clone());
                self.push(read);
                for child in children(node) {
                    if child.kind() == "command" {
                        let value = self.command(child, given());
                        self.push(Stmt::Do(value));
                    }
                }
                Expr::Either(vec![self.statement(node), stdin])
            }
        }
    }

    fn redirected(&mut self, node: Node<'_>, stdin: Expr) -> Expr {
        let mut named: Vec<(Name, Expr)> = Vec::new();
        if !matches!(stdin, Expr::Nothing) {
            named.push((STDIN.into(), stdin));
        }
        for child in children(node) {
            match child.kind() {
                "file_redirect" => {
                    let Some(to) = child.child_by_field_name("destination") else { continue };
                    let reads =
                        self.text(child).trim_start_matches(char::is_numeric).starts_with('<');
                    let to = self.word(to);
                    if let Expr::Text(text) = &to
                        && let Some(socket) = text
                            .strip_prefix("/dev/tcp/")
                            .or_else(|| text.strip_prefix("/dev/udp/"))
                    {
                        // A socket is read and written.
                        let host = format!("tcp://{}", socket.replacen('/', ":", 1));
                        let args = vec![Expr::Text(host.as_str().into())];
                        let call = Expr::call(offset(child), Expr::Name("curl".into()), args);
                        named.push((STDIN.into(), call));
                    } else if reads {
                        named.push((FROM.into(), to.clone()));
                        let call = Expr::call(offset(child), Expr::Name("cat".into()), vec![to]);
                        named.push((STDIN.into(), call));
                    } else {
                        named.push((INTO.into(), to));
                    }
                }
                "heredoc_redirect" => {
                    for part in children(child) {
                        match part.kind() {
                            "heredoc_body" => {
                                let body = self.text(part).to_owned();
                                let value = self.parts_of(part, &body);
                                named.push((STDIN.into(), value));
                            }
                            "pipeline" | "command" | "list" => {
                                let body = self.statement(part);
                                self.push(Stmt::Do(body));
                            }
                            _ => {}
                        }
                    }
                }
                "herestring_redirect" => {
                    if let Some(inner) = children(child).first() {
                        let value = self.word(*inner);
                        named.push((STDIN.into(), value));
                    }
                }
                _ => {}
            }
        }
        let body = node.child_by_field_name("body");
        match body.map(|b| (b, b.kind())) {
            Some((body, "command")) => self.command(body, named),
            Some((body, _)) => {
                let value = self.statement(body);
                let cat = Expr::Name("cat".into());
                let into: Vec<(Name, Expr)> =
                    named.into_iter().filter(|(n, _)| &**n == INTO).collect();
                let given = vec![(Name::from(STDIN), value)];
                let named = given.into_iter().chain(into).collect();
                Expr::Call(Box::new(Call {
                    at: offset(body),
                    callee: cat,
                    args: Vec::new(),
                    named,
                    new: false,
                }))
            }
            None => Expr::Nothing,
        }
    }

    fn command(&mut self, node: Node<'_>, named: Vec<(Name, Expr)>) -> Expr {
        let mut words = Vec::new();
        let mut named = named;
        for child in children(node) {
            match child.kind() {
                "variable_assignment" => self.assignment(child),
                "command_name" => {
                    let inner = children(child);
                    words.push(match inner.first() {
                        Some(inner) => self.word(*inner),
                        None => Expr::Text(self.text(child).into()),
                    });
                }
                "herestring_redirect" => {
                    if let Some(inner) = children(child).first() {
                        let value = self.word(*inner);
                        named.push((STDIN.into(), value));
                    }
                }
                "file_redirect" => {
                    if let Some(to) = child.child_by_field_name("destination") {
                        let to = self.word(to);
                        named.push((INTO.into(), to));
                    }
                }
                _ => words.push(self.word(child)),
            }
        }
        if words.is_empty() {
            return Expr::Nothing;
        }
        match (words.first(), words.get(1)) {
            (Some(Expr::Text(name)), Some(Expr::Text(dashes)))
                if &**name == "set" && &**dashes == "--" =>
            {
                let all = words.split_off(2);
                for (nth, word) in all.iter().enumerate() {
                    self.push(Stmt::Assign(variable(&(nth + 1).to_string()), word.clone()));
                }
                self.push(Stmt::Assign(variable("@"), Expr::Either(all)));
                return Expr::Nothing;
            }
            (Some(Expr::Text(name)), Some(_))
                if matches!(&**name, "." | "source" | "source_env") =>
            {
                // Its functions and variables are this one's too.
                let last =
                    children(node).into_iter().nth(1).map(|n| self.text(n)).unwrap_or_default();
                let file = last
                    .trim_matches(['"', '\''])
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let module: Name = file.as_str().into();
                self.push(Stmt::ImportMember {
                    module: module.clone(),
                    member: "*".into(),
                    name: module,
                });
            }
            (Some(Expr::Text(name)), Some(_)) if &**name == "trap" => {
                return Expr::Nothing;
            }
            _ => {}
        }
        // Words that only say how the next one is run.
        let skip = |w: &Expr| {
            let Expr::Text(text) = w else { return false };
            let name = text.rsplit('/').next().unwrap_or(text);
            matches!(
                name,
                "sudo"
                    | "env"
                    | "nohup"
                    | "exec"
                    | "time"
                    | "command"
                    | "builtin"
                    | "setsid"
                    | "busybox"
                    | "doas"
                    | "stdbuf"
                    | "nice"
                    | "timeout"
                    | "start"
                    | "npx"
                    | "cross-env"
            ) || text.contains('=') && !text.contains("://") && !text.starts_with('-')
        };
        let mut first = 0;
        while words.get(first).is_some_and(skip) && first + 1 < words.len() {
            first += 1;
            // Their own options, and numbers: `timeout 5 sh`, `sudo -E sh`.
            while first + 1 < words.len()
                && matches!(words.get(first), Some(Expr::Text(t)) if t.starts_with('-') || t.chars().all(|c| c.is_ascii_digit() || c == 's'))
            {
                first += 1;
            }
        }
        let args = words.split_off(first + 1);
        let callee = match words.pop().unwrap_or(Expr::Nothing) {
            Expr::Text(text) => Expr::Name(text),
            other => other,
        };
        Expr::Call(Box::new(Call { at: offset(node), callee, args, named, new: false }))
    }

    /// A text with expansions in it.
    fn parts_of(&mut self, node: Node<'_>, whole: &str) -> Expr {
        let inner = children(node);
        if inner.is_empty() {
            return Expr::Text(whole.into());
        }
        let (mut parts, mut from) = (Vec::new(), node.start_byte());
        for child in inner {
            if let Some(text) = self.source.get(from..child.start_byte()).filter(|t| !t.is_empty())
            {
                parts.push(Expr::Text(text.into()));
            }
            parts.push(self.word(child));
            from = child.end_byte();
        }
        if let Some(text) = self.source.get(from..node.end_byte()).filter(|t| !t.is_empty()) {
            parts.push(Expr::Text(text.into()));
        }
        Expr::Join(parts)
    }

    /// A word of a command, as a value.
    fn word(&mut self, node: Node<'_>) -> Expr {
        if self.depth >= DEPTH_MAX {
            self.error.get_or_insert(offset(node));
            return Expr::Nothing;
        }
        self.depth += 1;
        let value = self.word_of(node);
        self.depth -= 1;
        value
    }

    fn word_of(&mut self, node: Node<'_>) -> Expr {
        match node.kind() {
            "raw_string" => Expr::Text(self.text(node).trim_matches('\'').into()),
            "ansi_c_string" => {
                let text = self.text(node).trim_start_matches("$'").trim_end_matches('\'');
                Expr::Text(unescaped(text).as_str().into())
            }
            "string" => {
                let inner = children(node);
                let mut parts = Vec::new();
                let (mut from, end) = (node.start_byte() + 1, node.end_byte().saturating_sub(1));
                for child in inner {
                    if let Some(text) =
                        self.source.get(from..child.start_byte()).filter(|t| !t.is_empty())
                    {
                        parts.push(Expr::Text(text.replace("\\\"", "\"").as_str().into()));
                    }
                    parts.push(self.word(child));
                    from = child.end_byte();
                }
                if let Some(text) = self.source.get(from..end).filter(|t| !t.is_empty()) {
                    parts.push(Expr::Text(text.replace("\\\"", "\"").as_str().into()));
                }
                match parts.len() {
                    0 => Expr::Text("".into()),
                    1 => parts.pop().unwrap_or(Expr::Nothing),
                    _ => Expr::Join(parts),
                }
            }
            "string_content" | "heredoc_content" => {
                Expr::Text(self.text(node).replace("\\\"", "\"").as_str().into())
            }
            "concatenation" => {
                let parts = children(node).into_iter().map(|n| self.word(n)).collect();
                Expr::Join(parts)
            }
            "simple_expansion" => {
                let name = self.text(node).trim_start_matches('$').to_owned();
                home(&name).unwrap_or_else(|| variable(&name))
            }
            "expansion" => {
                let inner = children(node);
                let name = inner.iter().find(|n| n.kind() == "variable_name");
                let name = name.map(|n| self.text(*n).to_owned()).unwrap_or_default();
                let value = home(&name).unwrap_or_else(|| variable(&name));
                // A default, or parts of it.
                let others: Vec<Expr> = inner
                    .into_iter()
                    .filter(|n| n.kind() != "variable_name")
                    .map(|n| self.word(n))
                    .collect();
                let all = [vec![value], others].concat();
                Expr::Either(all)
            }
            "command_substitution" | "process_substitution" => {
                let mut all = Vec::new();
                for child in children(node) {
                    all.push(self.statement(child));
                }
                Expr::Either(all)
            }
            "array" => {
                let parts = children(node).into_iter().map(|n| self.word(n)).collect();
                Expr::List(offset(node), parts)
            }
            "word" | "number" | "extglob_pattern" => {
                let text = self.text(node).replace('\\', "");
                Expr::Text(text.as_str().into())
            }
            _ => Expr::Text(self.text(node).into()),
        }
    }
}

/// Variables that every shell has.
fn home(name: &str) -> Option<Expr> {
    match name {
        "HOME" => Some(Expr::Text("~".into())),
        "IFS" => Some(Expr::Text(" ".into())),
        "TMPDIR" => Some(Expr::Text("/tmp".into())),
        _ => None,
    }
}

/// `$'…'`: `\x41`, `\101`, `\n`.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte != b'\\' {
            all.push(*byte);
            continue;
        }
        let Some(kind) = bytes.get(at) else { break };
        at += 1;
        let (radix, len) = match kind {
            b'x' => (16, 2),
            b'0'..=b'7' => {
                at -= 1;
                (8, 3)
            }
            b'n' => {
                all.push(b'\n');
                continue;
            }
            b't' => {
                all.push(b'\t');
                continue;
            }
            other => {
                all.push(*other);
                continue;
            }
        };
        let digits: Vec<u32> =
            bytes.iter().skip(at).take(len).map_while(|b| char::from(*b).to_digit(radix)).collect();
        at += digits.len();
        let value = digits.iter().fold(0, |v, d| v * radix + d);
        all.push(u8::try_from(value).unwrap_or(b'?'));
    }
    String::from_utf8_lossy(&all).into_owned()
}
