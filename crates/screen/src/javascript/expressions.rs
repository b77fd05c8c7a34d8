//! Expressions of JavaScript, and elements of JSX.

use oxc_ast::ast::{self, Argument, ArrayExpressionElement, Expression as Js, ObjectPropertyKind};
use oxc_span::Span;
use oxc_syntax::operator::{AssignmentOperator, BinaryOperator, UnaryOperator};

use super::{Lower, at, member, named};
use crate::flow::ir::{CONSTRUCTOR, Call, EXPORTS, Expr, Name, SPREAD, Stmt, THIS, kept};

impl Lower {
    pub(super) fn args(&mut self, list: &[Argument<'_>]) -> (Vec<Expr>, Vec<(Name, Expr)>) {
        let (mut args, mut named) = (Vec::new(), Vec::new());
        for one in list {
            match one {
                Argument::SpreadElement(it) => {
                    let value = self.expr(&it.argument);
                    named.push((Name::from(SPREAD), value));
                }
                other => args.push(other.as_expression().map_or(Expr::Nothing, |e| self.expr(e))),
            }
        }
        (args, named)
    }

    pub(super) fn call(
        &mut self,
        span: Span,
        callee: &Js<'_>,
        list: &[Argument<'_>],
        new: bool,
    ) -> Expr {
        if let (Js::Identifier(id), [Argument::StringLiteral(module)]) = (callee, list)
            && id.name == "require"
        {
            return Expr::Module(module.value.as_str().into());
        }
        let callee = match callee {
            Js::Super(_) => member(named(THIS), CONSTRUCTOR),
            other => self.expr(other),
        };
        let (args, named) = self.args(list);
        let call = Expr::Call(Box::new(Call { at: at(span), callee, args, named, new }));
        self.caught(call)
    }

    fn all<'b, 'c: 'b>(&mut self, list: impl IntoIterator<Item = &'b Js<'c>>) -> Vec<Expr> {
        list.into_iter().map(|e| self.expr(e)).collect()
    }

    pub(super) fn template(&mut self, it: &ast::TemplateLiteral<'_>) -> Expr {
        let mut parts = Vec::new();
        for (nth, quasi) in it.quasis.iter().enumerate() {
            let text = quasi.value.cooked.as_ref().unwrap_or(&quasi.value.raw);
            parts.push(Expr::Text(text.as_str().into()));
            if let Some(inner) = it.expressions.get(nth) {
                parts.push(self.expr(inner));
            }
        }
        match parts.len() {
            1 => parts.pop().unwrap_or(Expr::Nothing),
            _ => Expr::Join(parts),
        }
    }

    pub(super) fn object(&mut self, it: &ast::ObjectExpression<'_>) -> Expr {
        let mut pairs = Vec::new();
        for one in &it.properties {
            match one {
                ObjectPropertyKind::ObjectProperty(p) => {
                    let key = self.key(&p.key);
                    let value = self.expr(&p.value);
                    let value = match p.kind {
                        ast::PropertyKind::Get => Expr::call(at(p.span), value, Vec::new()),
                        _ => value,
                    };
                    pairs.push((key, value));
                }
                ObjectPropertyKind::SpreadProperty(it) => {
                    pairs.push((None, self.expr(&it.argument)));
                }
            }
        }
        Expr::Map(at(it.span), pairs)
    }

    pub(super) fn assignment(&mut self, it: &ast::AssignmentExpression<'_>) -> Expr {
        let target = self.target(&it.left);
        let value = self.expr(&it.right);
        let value = match it.operator {
            AssignmentOperator::Assign
            | AssignmentOperator::LogicalOr
            | AssignmentOperator::LogicalAnd
            | AssignmentOperator::LogicalNullish => value,
            AssignmentOperator::Addition => Expr::Join(vec![target.clone(), value]),
            AssignmentOperator::BitwiseXOR => {
                Expr::Operation(at(it.span), '^', vec![target.clone(), value])
            }
            _ => Expr::Mixed(vec![target.clone(), value]),
        };
        Expr::Assign(Box::new(target), Box::new(value))
    }

    pub(super) fn expr(&mut self, expr: &Js<'_>) -> Expr {
        match expr {
            Js::StringLiteral(it) => Expr::Text(kept(it.value.as_str())),
            Js::NumericLiteral(it) => whole(it.value),
            Js::BooleanLiteral(it) => Expr::Number(i64::from(it.value)),
            Js::NullLiteral(_)
            | Js::BigIntLiteral(_)
            | Js::RegExpLiteral(_)
            | Js::ImportMeta(_)
            | Js::NewTarget(_)
            | Js::V8IntrinsicExpression(_) => Expr::Nothing,
            Js::TemplateLiteral(it) => self.template(it),
            Js::Identifier(it) => match it.name.as_str() {
                "exports" => named(EXPORTS),
                other => named(other),
            },
            Js::Super(_) | Js::ThisExpression(_) => named(THIS),
            Js::ArrayExpression(it) => {
                let mut items = Vec::new();
                for one in &it.elements {
                    items.push(match one {
                        ArrayExpressionElement::SpreadElement(s) => {
                            Expr::Spread(Box::new(self.expr(&s.argument)))
                        }
                        ArrayExpressionElement::Elision(_) => Expr::Nothing,
                        other => other.as_expression().map_or(Expr::Nothing, |e| self.expr(e)),
                    });
                }
                Expr::List(at(it.span), items)
            }
            Js::ArrowFunctionExpression(it) => self.arrow(it),
            Js::AssignmentExpression(it) => self.assignment(it),
            Js::AwaitExpression(it) => self.expr(&it.argument),
            Js::BinaryExpression(it) => {
                let parts = vec![self.expr(&it.left), self.expr(&it.right)];
                match it.operator {
                    BinaryOperator::Addition => Expr::Join(parts),
                    BinaryOperator::BitwiseXOR => Expr::Operation(at(it.span), '^', parts),
                    BinaryOperator::Subtraction => Expr::Operation(at(it.span), '-', parts),
                    BinaryOperator::Multiplication => Expr::Operation(at(it.span), '*', parts),
                    BinaryOperator::Remainder => Expr::Operation(at(it.span), '%', parts),
                    BinaryOperator::BitwiseAnd => Expr::Operation(at(it.span), '&', parts),
                    BinaryOperator::BitwiseOR => Expr::Operation(at(it.span), '|', parts),
                    BinaryOperator::ShiftLeft => Expr::Operation(at(it.span), '<', parts),
                    BinaryOperator::ShiftRight => Expr::Operation(at(it.span), '>', parts),
                    _ => Expr::Mixed(parts),
                }
            }
            Js::CallExpression(it) => self.call(it.span, &it.callee, &it.arguments, false),
            Js::NewExpression(it) => self.call(it.span, &it.callee, &it.arguments, true),
            Js::ChainExpression(it) => match &it.expression {
                ast::ChainElement::CallExpression(call) => {
                    self.call(call.span, &call.callee, &call.arguments, false)
                }
                ast::ChainElement::TSNonNullExpression(inner) => self.expr(&inner.expression),
                other => other.as_member_expression().map_or(Expr::Nothing, |m| self.member(m)),
            },
            Js::ClassExpression(it) => {
                let class = self.class(it);
                self.also_named(it.id.as_ref(), class)
            }
            Js::ConditionalExpression(it) => {
                self.run(&it.test);
                Expr::Either(vec![self.expr(&it.consequent), self.expr(&it.alternate)])
            }
            Js::FunctionExpression(it) => self.function(it),
            Js::ImportExpression(it) => match &it.source {
                Js::StringLiteral(text) => Expr::Module(text.value.as_str().into()),
                other => {
                    let source = self.expr(other);
                    Expr::call(at(it.span), named("import"), vec![source])
                }
            },
            Js::LogicalExpression(it) => {
                Expr::Either(vec![self.expr(&it.left), self.expr(&it.right)])
            }
            Js::ObjectExpression(it) => self.object(it),
            Js::ParenthesizedExpression(it) => self.expr(&it.expression),
            Js::SequenceExpression(it) => {
                let mut all = self.all(&it.expressions);
                let last = all.pop().unwrap_or(Expr::Nothing);
                all.into_iter().for_each(|e| self.push(Stmt::Do(e)));
                last
            }
            Js::TaggedTemplateExpression(it) => {
                let callee = self.expr(&it.tag);
                let text = self.template(&it.quasi);
                Expr::call(at(it.span), callee, vec![text])
            }
            Js::UnaryExpression(it) => {
                let inner = self.expr(&it.argument);
                match (it.operator, inner) {
                    (UnaryOperator::UnaryNegation, Expr::Number(n)) => {
                        Expr::Number(n.wrapping_neg())
                    }
                    (_, inner) => Expr::Mixed(vec![inner]),
                }
            }
            Js::UpdateExpression(_) => Expr::Nothing,
            Js::YieldExpression(it) => {
                let value = it.argument.as_ref().map_or(Expr::Nothing, |e| self.expr(e));
                self.push(Stmt::Return(value));
                Expr::Nothing
            }
            Js::PrivateInExpression(it) => Expr::Mixed(vec![self.expr(&it.right)]),
            Js::JSXElement(it) => self.element(it),
            Js::JSXFragment(it) => Expr::Mixed(self.children(&it.children)),
            Js::TSAsExpression(it) => self.expr(&it.expression),
            Js::TSSatisfiesExpression(it) => self.expr(&it.expression),
            Js::TSTypeAssertion(it) => self.expr(&it.expression),
            Js::TSNonNullExpression(it) => self.expr(&it.expression),
            Js::TSInstantiationExpression(it) => self.expr(&it.expression),
            other => other.as_member_expression().map_or(Expr::Nothing, |m| self.member(m)),
        }
    }

    /// An element of JSX calls what makes it, with its attributes.
    pub(super) fn element(&mut self, it: &ast::JSXElement<'_>) -> Expr {
        let mut pairs = Vec::new();
        for one in &it.opening_element.attributes {
            match one {
                ast::JSXAttributeItem::Attribute(attribute) => {
                    let value = match &attribute.value {
                        Some(ast::JSXAttributeValue::StringLiteral(text)) => {
                            Expr::Text(text.value.as_str().into())
                        }
                        Some(ast::JSXAttributeValue::ExpressionContainer(inner)) => {
                            inner.expression.as_expression().map_or(Expr::Nothing, |e| self.expr(e))
                        }
                        Some(ast::JSXAttributeValue::Element(inner)) => self.element(inner),
                        Some(ast::JSXAttributeValue::Fragment(inner)) => {
                            Expr::Mixed(self.children(&inner.children))
                        }
                        None => Expr::Nothing,
                    };
                    let key = match &attribute.name {
                        ast::JSXAttributeName::Identifier(id) => id.name.as_str(),
                        ast::JSXAttributeName::NamespacedName(id) => id.name.name.as_str(),
                    };
                    pairs.push((Some(Expr::Text(kept(key))), value));
                }
                ast::JSXAttributeItem::SpreadAttribute(spread) => {
                    pairs.push((None, self.expr(&spread.argument)));
                }
            }
        }
        let children = self.children(&it.children);
        children.into_iter().for_each(|child| self.push(Stmt::Do(child)));
        let props = Expr::Map(at(it.span), pairs);
        match &it.opening_element.name {
            ast::JSXElementName::IdentifierReference(id) => {
                Expr::call(at(it.span), named(&id.name), vec![props])
            }
            _ => Expr::Mixed(vec![props]),
        }
    }

    pub(super) fn children(&mut self, list: &[ast::JSXChild<'_>]) -> Vec<Expr> {
        let mut all = Vec::new();
        for child in list {
            all.push(match child {
                ast::JSXChild::Element(inner) => self.element(inner),
                ast::JSXChild::Fragment(inner) => Expr::Mixed(self.children(&inner.children)),
                ast::JSXChild::ExpressionContainer(inner) => {
                    inner.expression.as_expression().map_or(Expr::Nothing, |e| self.expr(e))
                }
                ast::JSXChild::Spread(inner) => self.expr(&inner.expression),
                ast::JSXChild::Text(_) => continue,
            });
        }
        all
    }
}

/// A number without a fraction.
fn whole(number: f64) -> Expr {
    const EXACT_MAX: f64 = 9_007_199_254_740_991.0;
    match number.fract() == 0.0 && number.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        true => Expr::Number(number as i64),
        false => Expr::Nothing,
    }
}
