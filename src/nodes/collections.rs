//! Arrays, lists and sets in PostgreSQL's nodes.

use std::marker::PhantomData;

use pgrx::pg_sys;

use super::{Argument, Node, View, functions, views};

/// An array in one of PostgreSQL's structs.
pub struct Array<'a, V: View> {
    start: *const V::Raw,
    count: usize,
    lent: PhantomData<&'a V>,
}

impl<V: View> View for Array<'_, V> {
    type Raw = (*mut V::Raw, i32);

    unsafe fn view((start, count): Self::Raw) -> Self {
        Array {
            start,
            count: if start.is_null() { 0 } else { count.max(0) as usize },
            lent: PhantomData,
        }
    }
}

impl<V: View<Raw: Copy>> Array<'_, V> {
    /// An element; None beyond the end.
    pub fn get(&self, n: usize) -> Option<V> {
        // SAFETY: the array is part of a valid struct and has `count` elements.
        (n < self.count).then(|| unsafe { V::view(*self.start.add(n)) })
    }

    /// All elements.
    pub fn iter(&self) -> impl Iterator<Item = V> {
        (0..self.count).filter_map(|n| self.get(n))
    }
}

/// A list of nodes of type `T`, which may be empty.
pub struct List<'a, T = pg_sys::Node> {
    /// PostgreSQL's empty list is NULL.
    list: Option<Node<'a, pg_sys::List>>,
    elements: PhantomData<&'a T>,
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<'a, T> List<'a, T> {
    /// PostgreSQL's pointer.
    pub fn raw(self) -> *mut pg_sys::List {
        self.list.to_raw()
    }

    /// True without elements.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The number of elements.
    pub fn len(self) -> usize {
        self.list.map_or(0, |list| list.cells().count)
    }

    /// An element; None beyond the end, and for NULL.
    pub fn get(self, n: usize) -> Option<Node<'a, T>> {
        let cell = self.list?.cells().get(n)?;
        // SAFETY: whoever made the view knows that the elements are nodes of this type; they live as long as the list.
        unsafe { View::view(cell.ptr_value.cast()) }
    }

    /// The elements that the list has now, without NULLs.
    pub fn iter(self) -> impl Iterator<Item = Node<'a, T>> {
        (0..self.len()).filter_map(move |n| self.get(n))
    }

    /// The elements, if there are exactly `N`.
    pub fn array<const N: usize>(self) -> Option<[Node<'a, T>; N]> {
        let nodes: Vec<_> = self.iter().collect();
        nodes.try_into().ok()
    }
}

impl<'a> List<'a> {
    /// A list whose elements are nodes.
    pub(super) fn of_nodes(list: Node<'a, pg_sys::List>) -> Self {
        List {
            list: Some(list),
            elements: PhantomData,
        }
    }

    /// A new list.
    pub fn of(nodes: &[Node<'a>]) -> Self {
        let empty = List {
            list: None,
            elements: PhantomData,
        };
        nodes.iter().fold(empty, |list, &node| list.with(node))
    }

    /// The list with one more element, at its end: the same list if it is not empty.
    pub fn with(self, node: Node<'a>) -> Self {
        append(self, node)
    }

    /// Whether the list has an element equal to this one.
    pub fn contains(self, node: Node<'a>) -> bool {
        has_member(self, node)
    }

    /// A copy of the list and of the trees in it.
    pub fn copied(self) -> Self {
        copy(self)
    }
}

impl<T> View for List<'_, T> {
    type Raw = *mut pg_sys::List;

    unsafe fn view(raw: *mut pg_sys::List) -> Self {
        List {
            list: Node::nullable(raw),
            elements: PhantomData,
        }
    }
}

impl<T> Argument<*mut pg_sys::List> for List<'_, T> {
    fn to_raw(self) -> *mut pg_sys::List {
        self.raw()
    }
}

impl<T> Argument<*const pg_sys::List> for List<'_, T> {
    fn to_raw(self) -> *const pg_sys::List {
        self.raw()
    }
}

/// A list of conditions that all hold, where PostgreSQL declares any node.
impl Argument<*mut pg_sys::Node> for List<'_> {
    fn to_raw(self) -> *mut pg_sys::Node {
        self.raw().cast()
    }
}

/// A set of small numbers, of relations or columns.
#[derive(Clone, Copy)]
pub struct Set<'a>(*mut pg_sys::Bitmapset, PhantomData<&'a pg_sys::Bitmapset>);

impl<'a> Set<'a> {
    /// The empty set.
    pub fn empty() -> Self {
        Set(std::ptr::null_mut(), PhantomData)
    }

    /// The members, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = i32> {
        let following = move |member| Some(next_member(self, member)).filter(|&next| next >= 0);
        std::iter::successors(following(-1), move |&member| following(member))
    }
}

impl View for Set<'_> {
    type Raw = *mut pg_sys::Bitmapset;

    unsafe fn view(raw: *mut pg_sys::Bitmapset) -> Self {
        Set(raw, PhantomData)
    }
}

impl Argument<*const pg_sys::Bitmapset> for Set<'_> {
    fn to_raw(self) -> *const pg_sys::Bitmapset {
        self.0
    }
}

/// A set that PostgreSQL adds to.
impl Argument<*mut *mut pg_sys::Bitmapset> for &mut Set<'_> {
    fn to_raw(self) -> *mut *mut pg_sys::Bitmapset {
        &mut self.0
    }
}

functions! {
    fn append<'a>(list: List<'a>, node: Node<'a>) -> List<'a> = lappend;
    fn has_member(list: List<'_>, node: Node<'_>) -> bool = list_member;
    fn copy<'a>(list: List<'a>) -> List<'a> = list_copy_deep;
    fn next_member(set: Set<'_>, previous: i32) -> i32 = bms_next_member;
}

views! {
    List(T_List) {
        cells: Array<'a, pg_sys::ListCell> = |list| (list.elements, list.length);
    }
}
