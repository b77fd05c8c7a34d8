//! Code of any language, brought down to what flows where: expressions, and per scope the assignments in no particular
//! order. Order and branches are left out on purpose: whatever may be assigned may arrive.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use rustc_hash::FxHashSet;

/// A name.
pub type Name = Rc<str>;

/// Texts up to this length are kept once, however often they stand there.
const KEPT_LEN_MAX: usize = 40;

thread_local! {
    static KEPT: RefCell<FxHashSet<Name>> = RefCell::default();
}

/// A name or short text of code: one and the same wherever it stands.
#[must_use]
pub fn kept(text: &str) -> Name {
    if text.len() > KEPT_LEN_MAX {
        return text.into();
    }
    KEPT.with_borrow_mut(|kept| match kept.get(text) {
        Some(known) => known.clone(),
        None => {
            let name = Name::from(text);
            kept.insert(name.clone());
            name
        }
    })
}

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
    /// A format, and what is put into it.
    Formatted(Vec<Expr>),
    /// One of several.
    Either(Vec<Expr>),
    /// What several make, in a way that is not followed: arithmetic, comparisons.
    Mixed(Vec<Expr>),
    /// All elements of it, in a list.
    Spread(Box<Expr>),
    /// What two make by an operation on numbers, by its sign.
    Operation(Offset, char, Vec<Expr>),
    /// A function that stands there.
    Function(usize),
    /// A class that stands there: the scope of its body, and what it is made from.
    Class(usize, Vec<Expr>),
    /// A module by its name, as the code says it: all that it exports.
    Module(Name),
    /// Is what stands there, and what of it was fetched may be caught under a name.
    Tried(Name, Box<Expr>),
    /// Assigns, and is what it assigned.
    Assign(Box<Expr>, Box<Expr>),
    /// An element for every element of others: targets and what they run over, then the element.
    Each(Offset, Vec<(Expr, Expr)>, Box<Expr>),
    /// Nothing that is followed.
    Nothing,
}

/// The name of arguments that are spread from a list or map: any of the parameters may get them.
pub const SPREAD: &str = "**";
/// The method that makes an instance.
pub const CONSTRUCTOR: &str = "__init__";
/// The name of the instance in its methods, where the language gives it one.
pub const THIS: &str = "this";
/// The variable of a module that holds what it exports, where that is a value of its own.
pub const EXPORTS: &str = "%exports";

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
    /// It makes an instance, whatever is called.
    pub new: bool,
}

impl Expr {
    /// A call with arguments by place.
    #[must_use]
    pub fn call(at: Offset, callee: Self, args: Vec<Self>) -> Self {
        Self::Call(Box::new(Call { at, callee, args, named: Vec::new(), new: false }))
    }
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
    /// What it throws: who called may catch it.
    Raise(Expr),
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
    /// The parameter that takes all arguments that are left.
    pub rest: Option<usize>,
    /// It is a class.
    pub is_class: bool,
    /// It has an instance under the name of `THIS`.
    pub has_this: bool,
    /// Names that are its own; where none are told, all that it assigns.
    pub declared: Option<HashSet<Name>>,
    /// Names of scopes around it that it assigns.
    pub outer: HashSet<Name>,
}

/// A file's code: the module's scope comes first.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Scopes.
    pub scopes: Vec<Scope>,
}
