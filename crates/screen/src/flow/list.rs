//! Short lists that are handed on far more often than they are changed: who only reads one shares it.

use std::ops::Deref;
use std::rc::Rc;

/// A list; a copy of it costs nothing until one of the two is changed.
#[derive(Clone, Debug)]
pub struct List<T>(Option<Rc<Vec<T>>>);

impl<T> List<T> {
    /// A list of nothing.
    pub const NONE: Self = Self(None);

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
    /// To be changed: its own from now on.
    pub fn own(&mut self) -> &mut Vec<T> {
        Rc::make_mut(self.0.get_or_insert_default())
    }

    /// Adds one.
    pub fn push(&mut self, item: T) {
        self.own().push(item);
    }

    /// Keeps some.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        if !self.iter().all(&keep) {
            self.own().retain(keep);
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
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self(if items.is_empty() { None } else { Some(Rc::new(items)) })
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
            self.own().extend(items);
        }
    }
}

impl<T: Clone> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.map(Rc::unwrap_or_clone).unwrap_or_default().into_iter()
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
        one.push(4);
        one.retain(|n| *n != 2);
        assert_eq!((&*one, &*other), (&[1, 3, 4][..], &[1, 2, 3][..]));
        assert_eq!(List::<u8>::default(), Vec::new().into());
        assert_eq!(one.into_iter().chain(other).collect::<Vec<u8>>(), [1, 3, 4, 1, 2, 3]);
    }
}
