//! Code of any language, brought down to what flows where: expressions, and per scope the assignments in no particular
//! order. Order and branches are left out on purpose: whatever may be assigned may arrive.

use std::rc::Rc;

/// A name.
pub type Name = Rc<str>;

/// Where something begins, in bytes of its file.
pub type Offset = u32;

/// An expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// Text that stands there.
    Text(Rc<str>),
    /// Bytes that stand there.
    Bytes(Rc<[u8]>),
    /// A whole number.
    Number(i64),
    /// A variable.
    Name(Name),
    /// A member of something.
    Member(Box<Expr>, Name),
    /// An element, or a slice from its end: `x[::-1]`.
    Index(Box<Expr>, Box<Expr>),
    /// The same in reverse order.
    Reversed(Box<Expr>),
    /// A call.
    Call(Box<Call>),
    /// Parts one after the other: `+`, f-strings, templates.
    Join(Vec<Expr>),
    /// A list, tuple or set.
    List(Offset, Vec<Expr>),
    /// A map; keys that can't be told are `None`.
    Map(Offset, Vec<(Option<Expr>, Expr)>),
    /// One of several.
    Either(Vec<Expr>),
    /// What several make, in a way that is not followed: arithmetic, comparisons.
    Mixed(Vec<Expr>),
    /// A function that stands there.
    Function(usize),
    /// Assigns, and is what it assigned.
    Assign(Box<Expr>, Box<Expr>),
    /// An element for every element of others: targets and what they run over, then the element.
    Each(Vec<(Expr, Expr)>, Box<Expr>),
    /// Nothing that is followed.
    Nothing,
}

/// The name of arguments that are spread from a list or map: any of the parameters may get them.
pub const SPREAD: &str = "**";

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where.
    pub at: Offset,
    /// What is called.
    pub callee: Expr,
    /// Arguments by place.
    pub args: Vec<Expr>,
    /// Arguments by name.
    pub named: Vec<(Name, Expr)>,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// An expression for what it does.
    Do(Expr),
    /// A target gets a value.
    Assign(Expr, Expr),
    /// A target gets each element of a value.
    Loop(Expr, Expr),
    /// The scope's answer.
    Return(Expr),
    /// A module gets a name: `import a.b as c`.
    Import {
        /// As the code names it, with its dots: `a.b`; relative ones with leading dots.
        module: Name,
        /// The name it gets.
        name: Name,
    },
    /// A member of a module gets a name: `from a import b as c`.
    ImportMember {
        /// The module.
        module: Name,
        /// Its member; `*` for all.
        member: Name,
        /// The name it gets.
        name: Name,
    },
    /// A class: its name and the scope of its body.
    Class(Name, usize),
}

/// A scope: a module, a function or a class.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Its name, for people.
    pub name: String,
    /// The scope around it; the module has none.
    pub parent: Option<usize>,
    /// Parameters with their defaults.
    pub params: Vec<(Name, Option<Expr>)>,
    /// Statements, nested ones too, in the order of the text.
    pub body: Vec<Stmt>,
    /// It is a class.
    pub is_class: bool,
}

/// A file's code: the module's scope comes first.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Scopes.
    pub scopes: Vec<Scope>,
}
