//! What bringing code of any language down to its flow has in common: the module that is being made, and where in it.

use crate::flow::ir::{Expr, Module, Name, Scope, Stmt};

/// A module that is being made.
#[derive(Debug)]
pub struct Lowering {
    /// The module.
    pub module: Module,
    /// The scope at hand.
    pub at: usize,
    /// Names of what may be caught, of the blocks that are tried around here.
    pub tries: Vec<Option<Name>>,
    /// Names that were made up.
    made: u32,
}

impl Lowering {
    /// Begins with a module that may have scopes already.
    #[must_use]
    pub const fn new(module: Module) -> Self {
        Self { module, at: 0, tries: Vec::new(), made: 0 }
    }

    /// The scope at hand.
    pub fn here(&mut self) -> Option<&mut Scope> {
        self.module.scopes.get_mut(self.at)
    }

    /// Adds a statement to the scope at hand.
    pub fn push(&mut self, stmt: Stmt) {
        if let Some(scope) = self.here() {
            scope.body.push(stmt);
        }
    }

    /// A name that no code has.
    pub fn fresh(&mut self) -> Name {
        self.made += 1;
        format!("%{}", self.made).into()
    }

    /// What is called within a block that is tried may bring what is caught.
    #[must_use]
    pub fn caught(&self, value: Expr) -> Expr {
        match self.tries.last() {
            Some(Some(name)) => Expr::Tried(name.clone(), Box::new(value)),
            _ => value,
        }
    }
}
