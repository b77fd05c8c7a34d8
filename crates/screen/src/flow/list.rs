//! Short lists that are handed on far more often than they are changed: who only reads one shares it.

use std::ops::Deref;
use std::rc::Rc;

/// A list; a copy of it costs nothing. What is changed is made anew.
#[derive(Clone, Debug)]
pub struct List<T>(Option<Rc<[T]>>);

impl<T> List<T> {
    /// A list of nothing.
    pub const NONE: Self = Self(None);

    /// A list of one.
    #[must_use]
    pub fn one(item: T) -> Self {
        Self(Some(Rc::new([item])))
    }

    /// Whether two are one and the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }
}

impl<T: Clone> List<T> {
    /// Adds one.
    pub fn push(&mut self, item: T) {
        self.extend([item]);
    }

    /// Puts one in another's place.
    pub fn replace(&mut self, at: usize, item: T) {
        if let Some(all) = &mut self.0
            && let Some(one) = Rc::make_mut(all).get_mut(at)
        {
            *one = item;
        }
    }

    /// Keeps some.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        if !self.iter().all(&keep) {
            *self = self.iter().filter(|item| keep(item)).cloned().collect();
        }
    }

    /// Keeps the first ones.
    pub fn truncate(&mut self, len: usize) {
        if self.len() > len {
            *self = self.iter().take(len).cloned().collect();
        }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self(if items.is_empty() { None } else { Some(items.into()) })
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Vec<T>>().into()
    }
}

impl<T: Clone> Extend<T> for List<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_some() {
            *self = self.iter().cloned().chain(items).collect();
        }
    }
}

impl<T: Clone> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        let all: Vec<T> = self.iter().cloned().collect();
        all.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || **self == **other
    }
}

impl<T: Eq> Eq for List<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changes_one_changes_no_other() {
        let mut one: List<u8> = vec![1, 2, 3].into();
        let other = one.clone();
        assert!(one.is(&other));
        one.retain(|n| *n > 0);
        one.extend([]);
        assert!(one.is(&other));
        one.push(5);
        one.replace(3, 4);
        one.retain(|n| *n != 2);
        assert_eq!((&*one, &*other), (&[1, 3, 4][..], &[1, 2, 3][..]));
        assert_eq!(List::<u8>::default(), Vec::new().into());
        assert_eq!(one.into_iter().chain(other).collect::<Vec<u8>>(), [1, 3, 4, 1, 2, 3]);
    }
}
