//! Python, brought down to what flows where. Parsed by `ruff_python_parser`, which reads on after errors; what it could
//! not read is said by its first error.

use std::ops::{Deref, DerefMut};

use ruff_python_ast::{self as ast, Expr as Py, Stmt as PyStmt};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::Ranged as _;
use unicode_normalization::UnicodeNormalization as _;

use crate::flow::ir::{Call, Expr, Module, Name, SPREAD, Scope, Stmt, kept};
use crate::lowering::Lowering;

/// Reads a file. The second is the first error's offset, if there is one.
#[must_use]
pub fn lower(source: &str) -> (Module, Option<u32>) {
    let parsed = parse_unchecked(source, ParseOptions::from(Mode::Module));
    let error = parsed.errors().first().map(|e| e.location.start().to_u32());
    let mut lower = Lower(Lowering::new(Module { scopes: vec![Scope::default()] }));
    if let ast::Mod::Module(module) = parsed.into_syntax() {
        lower.statements(&module.body);
    }
    (lower.0.module, error)
}

struct Lower(Lowering);

impl Deref for Lower {
    type Target = Lowering;

    fn deref(&self) -> &Lowering {
        &self.0
    }
}

impl DerefMut for Lower {
    fn deref_mut(&mut self) -> &mut Lowering {
        &mut self.0
    }
}

/// A name as the language takes it: in Normalization Form KC (The Python Language Reference, 2.3).
fn name(text: &str) -> Name {
    match text.is_ascii() {
        true => kept(text),
        false => kept(&text.nfkc().collect::<String>()),
    }
}

impl Lower {
    /// Names that are assigned where they are, not here.
    fn outer(&mut self, names: &[ast::Identifier]) {
        if let Some(scope) = self.here() {
            scope.outer.extend(names.iter().map(|n| name(n)));
        }
    }

    fn statements(&mut self, body: &[PyStmt]) {
        body.iter().for_each(|stmt| self.statement(stmt));
    }

    fn assign(&mut self, target: &Py, value: Expr) {
        let target = self.expr(target);
        self.push(Stmt::Assign(target, value));
    }

    fn run(&mut self, expr: &Py) {
        let expr = self.expr(expr);
        self.push(Stmt::Do(expr));
    }

    fn statement(&mut self, stmt: &PyStmt) {
        match stmt {
            PyStmt::FunctionDef(def) => {
                let function = self.scope(&def.name, Some(&def.parameters), false, |lower| {
                    lower.statements(&def.body);
                });
                let bound = || Expr::Name(name(&def.name));
                self.push(Stmt::Assign(bound(), function));
                for decorator in def.decorator_list.iter().rev() {
                    // What a decorator makes may be the function itself, or what it is called with.
                    let callee = self.expr(&decorator.expression);
                    let at = decorator.range().start().to_u32();
                    let call = Expr::call(at, callee, vec![bound()]);
                    self.push(Stmt::Assign(bound(), call));
                }
            }
            PyStmt::ClassDef(def) => {
                let bases = self.all(def.arguments.iter().flat_map(|a| a.args.iter()));
                let scope = self.scope(&def.name, None, true, |lower| lower.statements(&def.body));
                if let Expr::Function(scope) = scope {
                    let target = Expr::Name(name(&def.name));
                    self.push(Stmt::Assign(target, Expr::Class(scope, bases)));
                }
                for decorator in &def.decorator_list {
                    let callee = self.expr(&decorator.expression);
                    let at = decorator.range().start().to_u32();
                    let class = Expr::Name(name(&def.name));
                    self.push(Stmt::Do(Expr::call(at, callee, vec![class])));
                }
            }
            PyStmt::Return(ret) => {
                let value = ret.value.as_deref().map_or(Expr::Nothing, |v| self.expr(v));
                self.push(Stmt::Return(value));
            }
            PyStmt::Assign(assign) => {
                let value = self.expr(&assign.value);
                for target in &assign.targets {
                    self.assign(target, value.clone());
                }
            }
            PyStmt::AugAssign(assign) => {
                let parts = vec![self.expr(&assign.target), self.expr(&assign.value)];
                let joined = match assign.op {
                    ast::Operator::Add => Expr::Join(parts),
                    ast::Operator::BitXor => {
                        Expr::Operation(assign.range().start().to_u32(), '^', parts)
                    }
                    _ => Expr::Mixed(parts),
                };
                self.assign(&assign.target, joined);
            }
            PyStmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    let value = self.expr(value);
                    self.assign(&assign.target, value);
                }
            }
            PyStmt::For(stmt) => {
                let (target, iter) = (self.expr(&stmt.target), self.expr(&stmt.iter));
                self.push(Stmt::Loop(target, iter));
                self.statements(&stmt.body);
                self.statements(&stmt.orelse);
            }
            PyStmt::While(stmt) => {
                self.run(&stmt.test);
                self.statements(&stmt.body);
                self.statements(&stmt.orelse);
            }
            PyStmt::If(stmt) => {
                self.run(&stmt.test);
                self.statements(&stmt.body);
                for clause in &stmt.elif_else_clauses {
                    clause.test.iter().for_each(|test| self.run(test));
                    self.statements(&clause.body);
                }
            }
            PyStmt::With(stmt) => {
                for item in &stmt.items {
                    let value = self.expr(&item.context_expr);
                    // A manager gives what it answers when it is entered.
                    let at = item.range().start().to_u32();
                    let method = |name: &str| {
                        let member = Expr::Member(Box::new(value.clone()), name.into());
                        Expr::call(at, member, Vec::new())
                    };
                    self.push(Stmt::Do(method("__exit__")));
                    let entered = method("__enter__");
                    let value = Expr::Either(vec![value, entered]);
                    match &item.optional_vars {
                        Some(target) => self.assign(target, value),
                        None => self.push(Stmt::Do(value)),
                    }
                }
                self.statements(&stmt.body);
            }
            PyStmt::Match(stmt) => {
                self.run(&stmt.subject);
                stmt.cases.iter().for_each(|case| self.statements(&case.body));
            }
            PyStmt::Try(stmt) => {
                let is_caught = stmt.handlers.iter().any(|h| {
                    let ast::ExceptHandler::ExceptHandler(handler) = h;
                    handler.name.is_some()
                });
                let caught = is_caught.then(|| self.fresh());
                self.tries.push(caught.clone());
                self.statements(&stmt.body);
                self.tries.pop();
                for ast::ExceptHandler::ExceptHandler(handler) in &stmt.handlers {
                    if let (Some(caught), Some(bound)) = (&caught, &handler.name) {
                        let value = Expr::Mixed(vec![Expr::Name(caught.clone())]);
                        self.push(Stmt::Assign(Expr::Name(name(bound)), value));
                    }
                    self.statements(&handler.body);
                }
                self.statements(&stmt.orelse);
                self.statements(&stmt.finalbody);
            }
            PyStmt::Raise(stmt) => {
                if let Some(raised) = &stmt.exc {
                    let value = Expr::Mixed(vec![self.expr(raised)]);
                    let value = self.caught(value);
                    // It may be caught by who called.
                    self.push(Stmt::Raise(value));
                }
            }
            PyStmt::Global(stmt) => self.outer(&stmt.names),
            PyStmt::Nonlocal(stmt) => self.outer(&stmt.names),
            PyStmt::Assert(stmt) => self.run(&stmt.test),
            PyStmt::Expr(stmt) => self.run(&stmt.value),
            PyStmt::Import(stmt) => {
                for alias in &stmt.names {
                    let full = alias.name.as_str();
                    let first = full.split('.').next().unwrap_or(full);
                    let (module, bound) = match &alias.asname {
                        Some(asname) => (full, asname.as_str()),
                        None => (first, first),
                    };
                    self.push(Stmt::Import { module: name(module), name: name(bound) });
                    if alias.asname.is_none() && full != first {
                        // `import a.b` binds `a`, and runs `a.b`.
                        self.push(Stmt::Import { module: name(full), name: name(full) });
                    }
                }
            }
            PyStmt::ImportFrom(stmt) => {
                let dots = ".".repeat(stmt.level as usize);
                let module = stmt.module.as_ref().map(ast::Identifier::as_str).unwrap_or_default();
                for alias in &stmt.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.push(Stmt::ImportMember {
                        module: name(&format!("{dots}{module}")),
                        member: name(&alias.name),
                        name: name(bound),
                    });
                }
            }
            PyStmt::Delete(_)
            | PyStmt::TypeAlias(_)
            | PyStmt::Pass(_)
            | PyStmt::Break(_)
            | PyStmt::Continue(_)
            | PyStmt::IpyEscapeCommand(_) => {}
        }
    }

    /// A new scope; what its body does is filled in.
    fn scope(
        &mut self,
        called: &str,
        parameters: Option<&ast::Parameters>,
        is_class: bool,
        fill: impl FnOnce(&mut Self),
    ) -> Expr {
        let mut params = Vec::new();
        for parameter in parameters.iter().flat_map(|p| p.iter_non_variadic_params()) {
            let default = parameter.default.as_deref().map(|d| self.expr(d));
            params.push((name(parameter.name()), default));
        }
        for rest in parameters.iter().flat_map(|p| [&p.vararg, &p.kwarg]).flatten() {
            params.push((name(&rest.name), None));
        }
        let number = self.module.scopes.len();
        let (name, parent) = (called.to_owned(), Some(self.at));
        self.module.scopes.push(Scope { name, parent, params, is_class, ..Scope::default() });
        let outer = std::mem::replace(&mut self.at, number);
        let tries = std::mem::take(&mut self.tries);
        fill(self);
        self.tries = tries;
        self.at = outer;
        Expr::Function(number)
    }

    fn all<'a>(&mut self, list: impl IntoIterator<Item = &'a Py>) -> Vec<Expr> {
        list.into_iter().map(|e| self.expr(e)).collect()
    }

    fn each(&mut self, generators: &[ast::Comprehension], element: &Py) -> Expr {
        let mut binds = Vec::new();
        for generator in generators {
            binds.push((self.expr(&generator.target), self.expr(&generator.iter)));
        }
        Expr::Each(element.range().start().to_u32(), binds, Box::new(self.expr(element)))
    }

    fn expr(&mut self, expr: &Py) -> Expr {
        let at = expr.range().start().to_u32();
        match expr {
            Py::StringLiteral(text) => Expr::Text(kept(text.value.to_str())),
            Py::BytesLiteral(bytes) => {
                let all: Vec<u8> = bytes.value.bytes().collect();
                Expr::Bytes(all.into())
            }
            Py::NumberLiteral(number) => match &number.value {
                ast::Number::Int(int) => int.as_i64().map_or(Expr::Nothing, Expr::Number),
                _ => Expr::Nothing,
            },
            Py::BooleanLiteral(literal) => Expr::Number(i64::from(literal.value)),
            Py::Name(it) => Expr::Name(name(&it.id)),
            Py::Attribute(it) => Expr::Member(Box::new(self.expr(&it.value)), name(&it.attr)),
            Py::Subscript(it) => {
                let value = Box::new(self.expr(&it.value));
                match &*it.slice {
                    Py::Slice(slice) => {
                        let step = slice.step.as_deref().map(|s| self.expr(s));
                        match step {
                            Some(Expr::Number(-1)) => Expr::Reversed(value),
                            _ => Expr::Mixed(vec![*value]),
                        }
                    }
                    key => {
                        let key = self.expr(key);
                        Expr::Index(value, Box::new(key))
                    }
                }
            }
            Py::UnaryOp(it) => match (it.op, self.expr(&it.operand)) {
                (ast::UnaryOp::USub, Expr::Number(n)) => Expr::Number(n.wrapping_neg()),
                (_, operand) => Expr::Mixed(vec![operand]),
            },
            Py::Call(call) => {
                let callee = self.expr(&call.func);
                let mut named = Vec::new();
                let mut args = Vec::new();
                for argument in &call.arguments.args {
                    let value = self.expr(argument);
                    match argument {
                        Py::Starred(_) => named.push((name(SPREAD), value)),
                        _ => args.push(value),
                    }
                }
                for keyword in &call.arguments.keywords {
                    let value = self.expr(&keyword.value);
                    let key = keyword.arg.as_ref().map_or(SPREAD, |arg| arg.as_str());
                    named.push((name(key), value));
                }
                let call = Expr::Call(Box::new(Call { at, callee, args, named, new: false }));
                self.caught(call)
            }
            Py::BinOp(it) => {
                let parts = vec![self.expr(&it.left), self.expr(&it.right)];
                match it.op {
                    ast::Operator::Add => Expr::Join(parts),
                    ast::Operator::BitXor => Expr::Operation(at, '^', parts),
                    ast::Operator::Sub => Expr::Operation(at, '-', parts),
                    ast::Operator::Mult => Expr::Operation(at, '*', parts),
                    ast::Operator::BitAnd => Expr::Operation(at, '&', parts),
                    ast::Operator::BitOr => Expr::Operation(at, '|', parts),
                    ast::Operator::LShift => Expr::Operation(at, '<', parts),
                    ast::Operator::RShift => Expr::Operation(at, '>', parts),
                    // A format with what is put into it, or a path and what lies in it.
                    ast::Operator::Mod => Expr::Formatted(parts),
                    ast::Operator::Div => match &parts[..] {
                        [left, right] => {
                            Expr::Join(vec![left.clone(), Expr::Text("/".into()), right.clone()])
                        }
                        _ => Expr::Mixed(parts),
                    },
                    _ => Expr::Mixed(parts),
                }
            }
            Py::FString(it) => {
                let mut parts = Vec::new();
                for part in it.value.iter() {
                    match part {
                        ast::FStringPart::Literal(text) => {
                            parts.push(Expr::Text(text.value.as_ref().into()));
                        }
                        ast::FStringPart::FString(text) => {
                            for element in text.elements.iter() {
                                parts.push(match element {
                                    ast::InterpolatedStringElement::Literal(text) => {
                                        Expr::Text(text.value.as_ref().into())
                                    }
                                    ast::InterpolatedStringElement::Interpolation(inner) => {
                                        self.expr(&inner.expression)
                                    }
                                });
                            }
                        }
                    }
                }
                Expr::Join(parts)
            }
            Py::BoolOp(it) => Expr::Either(self.all(&it.values)),
            Py::If(it) => {
                self.run(&it.test);
                Expr::Either(vec![self.expr(&it.body), self.expr(&it.orelse)])
            }
            Py::Named(it) => {
                let value = self.expr(&it.value);
                Expr::Assign(Box::new(self.expr(&it.target)), Box::new(value))
            }
            Py::Lambda(it) => self.scope("lambda", it.parameters.as_deref(), false, |lower| {
                let value = lower.expr(&it.body);
                lower.push(Stmt::Return(value));
            }),
            Py::Dict(it) => {
                let mut pairs = Vec::new();
                for item in &it.items {
                    let key = item.key.as_ref().map(|key| self.expr(key));
                    pairs.push((key, self.expr(&item.value)));
                }
                Expr::Map(at, pairs)
            }
            Py::List(it) => Expr::List(at, self.all(&it.elts)),
            Py::Tuple(it) => Expr::List(at, self.all(&it.elts)),
            Py::Set(it) => Expr::List(at, self.all(&it.elts)),
            Py::ListComp(it) => self.each(&it.generators, &it.elt),
            Py::SetComp(it) => self.each(&it.generators, &it.elt),
            Py::Generator(it) => self.each(&it.generators, &it.elt),
            Py::DictComp(it) => self.each(&it.generators, &it.value),
            Py::Await(it) => self.expr(&it.value),
            Py::Yield(it) => {
                let value = it.value.as_deref().map_or(Expr::Nothing, |v| self.expr(v));
                self.push(Stmt::Return(value));
                Expr::Nothing
            }
            Py::YieldFrom(it) => {
                let value = self.expr(&it.value);
                self.push(Stmt::Return(value));
                Expr::Nothing
            }
            Py::Starred(it) => Expr::Spread(Box::new(self.expr(&it.value))),
            Py::Compare(it) => {
                let mut parts = vec![self.expr(&it.left)];
                parts.extend(self.all(&it.comparators));
                Expr::Mixed(parts)
            }
            Py::TString(_)
            | Py::NoneLiteral(_)
            | Py::EllipsisLiteral(_)
            | Py::Slice(_)
            | Py::IpyEscapeCommand(_) => Expr::Nothing,
        }
    }
}
