//! JavaScript and TypeScript, brought down to what flows where. Parsed by `oxc_parser`; what it could not read is said by
//! its first error. Modules of both kinds end in one value, what the module exports.

mod expressions;

use std::collections::HashSet;
use std::ops::{Deref, DerefMut};

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    self, AssignmentTarget, AssignmentTargetMaybeDefault, AssignmentTargetProperty, BindingPattern,
    ClassElement, Declaration, Expression as Js, ForStatementLeft, ModuleExportName, PropertyKey,
    SimpleAssignmentTarget, Statement as JsStmt,
};
use oxc_parser::Parser;
use oxc_span::{SourceType, Span};

use crate::flow::ir::{CONSTRUCTOR, EXPORTS, Expr, Module, Name, Offset, Scope, Stmt, THIS, kept};
use crate::lowering::Lowering;

/// Where the exports of a module are made: no text of it stands there.
const EXPORTS_AT: Offset = Offset::MAX;

/// Reads a file. The second is the first error's offset, if there is one. TypeScript is read where the name says so, and
/// where the text is no JavaScript.
#[must_use]
pub fn lower(source: &str, is_typescript: bool) -> (Module, Option<u32>) {
    let script = SourceType::unambiguous().with_jsx(true);
    let typed = SourceType::ts().with_module(true);
    let order = match is_typescript {
        true => [typed, SourceType::tsx()],
        false => [script, SourceType::tsx()],
    };
    let mut first = None;
    for kind in order {
        let (module, error) = parse(source, kind);
        match (error, &first) {
            (None, _) => return (module, None),
            (Some(_), None) => first = Some((module, error)),
            (Some(_), Some(_)) => {}
        }
    }
    first.unwrap_or_default()
}

fn parse(source: &str, kind: SourceType) -> (Module, Option<u32>) {
    let allocator = Allocator::default();
    let options = oxc_parser::ParseOptions {
        allow_return_outside_function: true,
        ..oxc_parser::ParseOptions::default()
    };
    let parsed = Parser::new(&allocator, source, kind).with_options(options).parse();
    let place = |e: &oxc_diagnostics::OxcDiagnostic| e.labels.first().map_or(0, |l| l.offset());
    let error = parsed.diagnostics.iter().next().map(place);
    let error = error.or_else(|| parsed.panicked.then_some(0));
    let mut lower = Lower(Lowering::new(Module::default()));
    lower.module.scopes.push(Scope::default());
    let exports = Expr::Map(EXPORTS_AT, Vec::new());
    lower.push(Stmt::Assign(named(EXPORTS), exports));
    lower.statements(&parsed.program.body);
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

fn named(text: &str) -> Expr {
    Expr::Name(kept(text))
}

fn member(of: Expr, name: &str) -> Expr {
    Expr::Member(Box::new(of), kept(name))
}

fn at(span: Span) -> Offset {
    span.start
}

/// What is imported under no name of its own: the default, or all of a module of the older kind.
fn default_of(module: &str) -> Expr {
    let whole = Expr::Module(module.into());
    Expr::Either(vec![member(whole.clone(), "default"), whole])
}

impl Lower {
    fn declare(&mut self, name: &str) -> Expr {
        if let Some(scope) = self.here() {
            scope.declared.get_or_insert_default().insert(name.into());
        }
        named(name)
    }

    fn run(&mut self, expr: &Js<'_>) {
        let expr = self.expr(expr);
        self.push(Stmt::Do(expr));
    }

    fn statements(&mut self, body: &[JsStmt<'_>]) {
        body.iter().for_each(|stmt| self.statement(stmt));
    }

    fn statement(&mut self, stmt: &JsStmt<'_>) {
        match stmt {
            JsStmt::BlockStatement(it) => self.statements(&it.body),
            JsStmt::ExpressionStatement(it) => self.run(&it.expression),
            JsStmt::IfStatement(it) => {
                self.run(&it.test);
                self.statement(&it.consequent);
                it.alternate.iter().for_each(|s| self.statement(s));
            }
            JsStmt::DoWhileStatement(it) => {
                self.statement(&it.body);
                self.run(&it.test);
            }
            JsStmt::WhileStatement(it) => {
                self.run(&it.test);
                self.statement(&it.body);
            }
            JsStmt::ForStatement(it) => {
                match &it.init {
                    Some(ast::ForStatementInit::VariableDeclaration(vars)) => self.variables(vars),
                    Some(other) => other.as_expression().iter().for_each(|e| self.run(e)),
                    None => {}
                }
                it.test.iter().chain(&it.update).for_each(|e| self.run(e));
                self.statement(&it.body);
            }
            JsStmt::ForInStatement(it) => {
                self.each(&it.left, &it.right);
                self.statement(&it.body);
            }
            JsStmt::ForOfStatement(it) => {
                self.each(&it.left, &it.right);
                self.statement(&it.body);
            }
            JsStmt::LabeledStatement(it) => self.statement(&it.body),
            JsStmt::ReturnStatement(it) => {
                let value = it.argument.as_ref().map_or(Expr::Nothing, |e| self.expr(e));
                self.push(Stmt::Return(value));
            }
            JsStmt::SwitchStatement(it) => {
                self.run(&it.discriminant);
                for case in &it.cases {
                    case.test.iter().for_each(|e| self.run(e));
                    self.statements(&case.consequent);
                }
            }
            JsStmt::ThrowStatement(it) => {
                let value = Expr::Mixed(vec![self.expr(&it.argument)]);
                let caught = self.caught(value);
                // It may be caught by who called.
                self.push(Stmt::Raise(caught));
            }
            JsStmt::TryStatement(it) => {
                let caught =
                    it.handler.as_ref().and_then(|h| h.param.as_ref()).map(|_| self.fresh());
                self.tries.push(caught.clone());
                self.statements(&it.block.body);
                self.tries.pop();
                if let Some(handler) = &it.handler {
                    if let (Some(param), Some(caught)) = (&handler.param, caught) {
                        let target = self.binding(&param.pattern);
                        self.push(Stmt::Assign(target, Expr::Mixed(vec![Expr::Name(caught)])));
                    }
                    self.statements(&handler.body.body);
                }
                it.finalizer.iter().for_each(|f| self.statements(&f.body));
            }
            JsStmt::WithStatement(it) => {
                self.run(&it.object);
                self.statement(&it.body);
            }
            JsStmt::BreakStatement(_)
            | JsStmt::ContinueStatement(_)
            | JsStmt::DebuggerStatement(_)
            | JsStmt::EmptyStatement(_) => {}
            other => {
                if let Some(declaration) = other.as_declaration() {
                    self.declaration(declaration);
                } else if let Some(module) = other.as_module_declaration() {
                    self.module_declaration(module);
                }
            }
        }
    }

    fn each(&mut self, left: &ForStatementLeft<'_>, right: &Js<'_>) {
        let over = self.expr(right);
        let target = match left {
            ForStatementLeft::VariableDeclaration(vars) => {
                vars.declarations.first().map(|d| self.binding(&d.id))
            }
            other => other.as_assignment_target().map(|t| self.target(t)),
        };
        self.push(Stmt::Loop(target.unwrap_or(Expr::Nothing), over));
    }

    fn variables(&mut self, vars: &ast::VariableDeclaration<'_>) {
        for one in &vars.declarations {
            let target = self.binding(&one.id);
            if let Some(init) = &one.init {
                let value = self.expr(init);
                self.push(Stmt::Assign(target, value));
            }
        }
    }

    fn declaration(&mut self, declaration: &Declaration<'_>) {
        match declaration {
            Declaration::VariableDeclaration(it) => self.variables(it),
            Declaration::FunctionDeclaration(it) => {
                let function = self.function(it);
                if let Some(id) = &it.id {
                    let target = self.declare(&id.name);
                    self.push(Stmt::Assign(target, function));
                }
            }
            Declaration::ClassDeclaration(it) => {
                let class = self.class(it);
                match &it.id {
                    Some(id) => {
                        let target = self.declare(&id.name);
                        self.push(Stmt::Assign(target, class));
                    }
                    None => self.push(Stmt::Do(class)),
                }
            }
            Declaration::TSEnumDeclaration(it) => {
                let target = self.declare(&it.id.name);
                let mut pairs = Vec::new();
                for one in &it.body.members {
                    let value = one.initializer.as_ref().map_or(Expr::Nothing, |e| self.expr(e));
                    pairs.push((Some(Expr::Text(kept(one.id.static_name().as_str()))), value));
                }
                self.push(Stmt::Assign(target, Expr::Map(at(it.span), pairs)));
            }
            Declaration::TSNamespaceDeclaration(it) => {
                let mut body = &it.body;
                loop {
                    match body {
                        ast::TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => {
                            body = &inner.body;
                        }
                        ast::TSNamespaceDeclarationBody::TSModuleBlock(block) => {
                            return self.statements(&block.body);
                        }
                    }
                }
            }
            Declaration::TSImportEqualsDeclaration(it) => {
                if let ast::TSModuleReference::ExternalModuleReference(module) =
                    &it.module_reference
                {
                    let target = self.declare(&it.id.name);
                    let module = Expr::Module(module.expression.value.as_str().into());
                    self.push(Stmt::Assign(target, module));
                }
            }
            Declaration::TSTypeAliasDeclaration(_)
            | Declaration::TSInterfaceDeclaration(_)
            | Declaration::TSExternalModuleDeclaration(_)
            | Declaration::TSGlobalDeclaration(_) => {}
        }
    }

    fn export(&mut self, name: &str, value: Expr) {
        self.push(Stmt::Assign(member(named(EXPORTS), name), value));
    }

    fn module_declaration(&mut self, declaration: &ast::ModuleDeclaration<'_>) {
        use ast::ModuleDeclaration as Decl;
        match declaration {
            Decl::ImportDeclaration(it) => {
                let source = it.source.value.as_str();
                if it.import_kind.is_type() {
                    return;
                }
                self.push(Stmt::Do(Expr::Module(source.into())));
                for one in it.specifiers.iter().flatten() {
                    use ast::ImportDeclarationSpecifier as Specifier;
                    let (local, value) = match one {
                        Specifier::ImportSpecifier(s) => {
                            let imported = s.imported.name();
                            let value = match imported.as_str() {
                                "default" => default_of(source),
                                other => member(Expr::Module(source.into()), other),
                            };
                            (&s.local, value)
                        }
                        Specifier::ImportDefaultSpecifier(s) => (&s.local, default_of(source)),
                        Specifier::ImportNamespaceSpecifier(s) => {
                            (&s.local, Expr::Module(source.into()))
                        }
                    };
                    let target = self.declare(&local.name);
                    self.push(Stmt::Assign(target, value));
                }
            }
            Decl::ExportAllDeclaration(it) => {
                let module = Expr::Module(it.source.value.as_str().into());
                match &it.exported {
                    Some(name) => self.export(&name.name(), module),
                    None => self.push(Stmt::Assign(named(EXPORTS), module)),
                }
            }
            Decl::ExportDefaultDeclaration(it) => {
                use ast::ExportDefaultDeclarationKind as Kind;
                let value = match &it.declaration {
                    Kind::FunctionDeclaration(function) => {
                        let value = self.function(function);
                        self.also_named(function.id.as_ref(), value)
                    }
                    Kind::ClassDeclaration(class) => {
                        let value = self.class(class);
                        self.also_named(class.id.as_ref(), value)
                    }
                    Kind::TSInterfaceDeclaration(_) => return,
                    other => other.as_expression().map_or(Expr::Nothing, |e| self.expr(e)),
                };
                self.export("default", value);
            }
            Decl::ExportDeclaration(it) => {
                self.declaration(&it.declaration);
                for name in declared_by(&it.declaration) {
                    self.export(&name, named(&name));
                }
            }
            Decl::ExportNamedDeclaration(it) => {
                for one in &it.specifiers {
                    let local = one.local.name();
                    self.export(&one.exported.name(), named(&local));
                }
            }
            Decl::ExportFromDeclaration(it) => {
                let source = it.source.value.as_str();
                for one in &it.specifiers {
                    let value = match &one.local {
                        ModuleExportName::StringLiteral(_) => Expr::Module(source.into()),
                        local if local.name() == "default" => default_of(source),
                        local => member(Expr::Module(source.into()), &local.name()),
                    };
                    self.export(&one.exported.name(), value);
                }
            }
            Decl::TSExportAssignment(it) => {
                let value = self.expr(&it.expression);
                self.push(Stmt::Assign(named(EXPORTS), value));
            }
            Decl::TSNamespaceExportDeclaration(_) => {}
        }
    }

    /// A function or class with a name of its own has that in its module too.
    fn also_named(&mut self, id: Option<&ast::BindingIdentifier<'_>>, value: Expr) -> Expr {
        let Some(id) = id else { return value };
        let target = self.declare(&id.name);
        Expr::Assign(Box::new(target), Box::new(value))
    }

    /// A pattern of names that are declared here, as a target.
    fn binding(&mut self, pattern: &BindingPattern<'_>) -> Expr {
        match pattern {
            BindingPattern::BindingIdentifier(it) => self.declare(&it.name),
            BindingPattern::ObjectPattern(it) => {
                let mut pairs = Vec::new();
                for one in &it.properties {
                    let key = self.key(&one.key);
                    pairs.push((key, self.binding(&one.value)));
                }
                for rest in it.rest.iter() {
                    pairs.push((None, self.binding(&rest.argument)));
                }
                Expr::Map(at(it.span), pairs)
            }
            BindingPattern::ArrayPattern(it) => {
                let mut items = Vec::new();
                for one in &it.elements {
                    items.push(one.as_ref().map_or(Expr::Nothing, |e| self.binding(e)));
                }
                for rest in it.rest.iter() {
                    items.push(Expr::Spread(Box::new(self.binding(&rest.argument))));
                }
                Expr::List(at(it.span), items)
            }
            BindingPattern::AssignmentPattern(it) => {
                let target = self.binding(&it.left);
                let value = self.expr(&it.right);
                Expr::Assign(Box::new(target), Box::new(value))
            }
        }
    }

    /// What is assigned to.
    fn target(&mut self, target: &AssignmentTarget<'_>) -> Expr {
        match target {
            AssignmentTarget::ArrayAssignmentTarget(it) => {
                let mut items = Vec::new();
                for one in &it.elements {
                    items.push(one.as_ref().map_or(Expr::Nothing, |e| self.target_or_default(e)));
                }
                for rest in it.rest.iter() {
                    items.push(Expr::Spread(Box::new(self.target(&rest.target))));
                }
                Expr::List(at(it.span), items)
            }
            AssignmentTarget::ObjectAssignmentTarget(it) => {
                let mut pairs = Vec::new();
                for one in &it.properties {
                    pairs.push(match one {
                        AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(p) => {
                            let target = named(&p.binding.name);
                            let target = match &p.init {
                                Some(init) => {
                                    let init = self.expr(init);
                                    Expr::Assign(Box::new(target), Box::new(init))
                                }
                                None => target,
                            };
                            (Some(Expr::Text(kept(p.binding.name.as_str()))), target)
                        }
                        AssignmentTargetProperty::AssignmentTargetPropertyProperty(p) => {
                            let key = self.key(&p.name);
                            (key, self.target_or_default(&p.binding))
                        }
                    });
                }
                for rest in it.rest.iter() {
                    pairs.push((None, self.target(&rest.target)));
                }
                Expr::Map(at(it.span), pairs)
            }
            simple => match simple.as_simple_assignment_target() {
                Some(simple) => self.simple_target(simple),
                None => Expr::Nothing,
            },
        }
    }

    fn target_or_default(&mut self, target: &AssignmentTargetMaybeDefault<'_>) -> Expr {
        match target {
            AssignmentTargetMaybeDefault::AssignmentTargetWithDefault(it) => {
                let target = self.target(&it.binding);
                let init = self.expr(&it.init);
                Expr::Assign(Box::new(target), Box::new(init))
            }
            other => other.as_assignment_target().map_or(Expr::Nothing, |t| self.target(t)),
        }
    }

    fn simple_target(&mut self, target: &SimpleAssignmentTarget<'_>) -> Expr {
        match target {
            SimpleAssignmentTarget::AssignmentTargetIdentifier(it) => match it.name.as_str() {
                "exports" => named(EXPORTS),
                other => named(other),
            },
            SimpleAssignmentTarget::TSAsExpression(it) => self.expr(&it.expression),
            SimpleAssignmentTarget::TSSatisfiesExpression(it) => self.expr(&it.expression),
            SimpleAssignmentTarget::TSNonNullExpression(it) => self.expr(&it.expression),
            SimpleAssignmentTarget::TSTypeAssertion(it) => self.expr(&it.expression),
            other => other.as_member_expression().map_or(Expr::Nothing, |m| self.member(m)),
        }
    }

    fn key(&mut self, key: &PropertyKey<'_>) -> Option<Expr> {
        match key {
            PropertyKey::StaticIdentifier(it) => Some(Expr::Text(kept(it.name.as_str()))),
            PropertyKey::PrivateIdentifier(it) => {
                Some(Expr::Text(format!("#{}", it.name).as_str().into()))
            }
            other => other.as_expression().map(|e| self.expr(e)),
        }
    }

    fn member(&mut self, it: &ast::MemberExpression<'_>) -> Expr {
        match it {
            ast::MemberExpression::ComputedMemberExpression(it) => {
                let object = self.expr(&it.object);
                let key = self.expr(&it.expression);
                Expr::Index(Box::new(object), Box::new(key))
            }
            ast::MemberExpression::StaticMemberExpression(it) => {
                let is_module = matches!(&it.object, Js::Identifier(id) if id.name == "module");
                if is_module && it.property.name == "exports" {
                    return named(EXPORTS);
                }
                member(self.expr(&it.object), &it.property.name)
            }
            ast::MemberExpression::PrivateFieldExpression(it) => {
                member(self.expr(&it.object), &format!("#{}", it.field.name))
            }
        }
    }

    /// A new scope; what its body does is filled in.
    fn scope(
        &mut self,
        called: &str,
        params: Option<&ast::FormalParameters<'_>>,
        is_class: bool,
        has_this: bool,
        fill: impl FnOnce(&mut Self),
    ) -> usize {
        let number = self.module.scopes.len();
        let parent = Some(self.at);
        self.module.scopes.push(Scope {
            name: called.to_owned(),
            parent,
            is_class,
            has_this,
            declared: Some(HashSet::new()),
            ..Scope::default()
        });
        let outer = std::mem::replace(&mut self.at, number);
        let tries = std::mem::take(&mut self.tries);
        for item in params.iter().flat_map(|p| &p.items) {
            let name = match &item.pattern {
                BindingPattern::BindingIdentifier(it) => Name::from(it.name.as_str()),
                pattern => {
                    let name = self.fresh();
                    let target = self.binding(pattern);
                    self.push(Stmt::Assign(target, Expr::Name(name.clone())));
                    name
                }
            };
            if item.accessibility.is_some() || item.readonly {
                let field = member(named(THIS), &name);
                self.push(Stmt::Assign(field, Expr::Name(name.clone())));
            }
            let default = item.initializer.as_ref().map(|e| self.expr(e));
            self.param(name, default);
        }
        if let Some(rest) = params.and_then(|p| p.rest.as_ref()) {
            let name = self.fresh();
            let target = self.binding(&rest.rest.argument);
            self.push(Stmt::Assign(target, Expr::Name(name.clone())));
            if let Some(scope) = self.module.scopes.get_mut(number) {
                scope.rest = Some(scope.params.len());
            }
            self.param(name, None);
        }
        fill(self);
        self.tries = tries;
        self.at = outer;
        number
    }

    fn param(&mut self, name: Name, default: Option<Expr>) {
        if let Some(scope) = self.here() {
            scope.declared.get_or_insert_default().insert(name.clone());
            scope.params.push((name, default));
        }
    }

    fn function(&mut self, it: &ast::Function<'_>) -> Expr {
        let called = it.id.as_ref().map_or("function", |id| id.name.as_str());
        let number = self.scope(called, Some(&it.params), false, true, |lower| {
            if let Some(id) = &it.id {
                // Its own name, for recursion.
                let number = lower.at;
                let target = lower.declare(&id.name);
                lower.push(Stmt::Assign(target, Expr::Function(number)));
            }
            it.body.iter().for_each(|body| lower.statements(&body.statements));
        });
        Expr::Function(number)
    }

    fn arrow(&mut self, it: &ast::ArrowFunctionExpression<'_>) -> Expr {
        let number = self.scope("=>", Some(&it.params), false, false, |lower| match &it.body {
            ast::ArrowFunctionBody::FunctionBody(body) => lower.statements(&body.statements),
            other => {
                let value = other.as_expression().map_or(Expr::Nothing, |e| lower.expr(e));
                lower.push(Stmt::Return(value));
            }
        });
        Expr::Function(number)
    }

    fn class(&mut self, it: &ast::Class<'_>) -> Expr {
        let bases: Vec<Expr> = it.heritage.iter().map(|h| self.expr(&h.expression)).collect();
        let called = it.id.as_ref().map_or("class", |id| id.name.as_str());
        let number = self.scope(called, None, true, false, |lower| {
            for element in &it.body.body {
                lower.class_element(element);
            }
        });
        for decorator in &it.decorators {
            let callee = self.expr(&decorator.expression);
            let args = vec![Expr::Class(number, Vec::new())];
            self.push(Stmt::Do(Expr::call(at(decorator.span), callee, args)));
        }
        Expr::Class(number, bases)
    }

    fn class_element(&mut self, element: &ClassElement<'_>) {
        match element {
            ClassElement::StaticBlock(it) => self.statements(&it.body),
            ClassElement::MethodDefinition(it) => {
                let function = self.function(&it.value);
                let value = match it.kind {
                    ast::MethodDefinitionKind::Get => Expr::call(at(it.span), function, Vec::new()),
                    _ => function,
                };
                let name = match it.kind {
                    ast::MethodDefinitionKind::Constructor => Some(Expr::Text(CONSTRUCTOR.into())),
                    _ => self.key(&it.key),
                };
                self.class_member(name, value);
            }
            ClassElement::PropertyDefinition(it) => {
                if let Some(value) = &it.value {
                    let value = self.expr(value);
                    let name = self.key(&it.key);
                    self.class_member(name, value);
                }
            }
            ClassElement::AccessorProperty(it) => {
                if let Some(value) = &it.value {
                    let value = self.expr(value);
                    let name = self.key(&it.key);
                    self.class_member(name, value);
                }
            }
            ClassElement::TSIndexSignature(_) => {}
        }
    }

    fn class_member(&mut self, name: Option<Expr>, value: Expr) {
        match name {
            Some(Expr::Text(name)) => {
                let target = self.declare(&name);
                self.push(Stmt::Assign(target, value));
            }
            Some(computed) => {
                let target = Expr::Index(Box::new(named(THIS)), Box::new(computed));
                self.push(Stmt::Assign(target, value));
            }
            None => self.push(Stmt::Do(value)),
        }
    }
}

/// Names that a declaration declares.
fn declared_by(declaration: &Declaration<'_>) -> Vec<String> {
    match declaration {
        Declaration::VariableDeclaration(it) => it
            .declarations
            .iter()
            .flat_map(|d| d.id.get_binding_identifiers())
            .map(|id| id.name.to_string())
            .collect(),
        Declaration::FunctionDeclaration(it) => {
            it.id.iter().map(|id| id.name.to_string()).collect()
        }
        Declaration::ClassDeclaration(it) => it.id.iter().map(|id| id.name.to_string()).collect(),
        Declaration::TSEnumDeclaration(it) => vec![it.id.name.to_string()],
        _ => Vec::new(),
    }
}
