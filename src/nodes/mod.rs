//! Views of PostgreSQL's node trees: what the planner and the executor lend to a callback.
//!
//! A [`Node`] is made once, where a callback gets a pointer ([`View::view`]); from there on its type, its fields and
//! its lists are reached without `unsafe`. Tables beside the code that uses them list the types and fields (`views!`)
//! and PostgreSQL's functions that take nodes (`functions!`).
//!
//! PostgreSQL may change a node whenever one of its functions runs. So no reference into a node is ever handed out: a
//! getter copies one field, and a setter stores one.

mod collections;

use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use pgrx::pg_sys::{self, Datum, NodeTag, Oid};

pub use collections::{Array, List, Set};

/// A struct of PostgreSQL that lives for `'a`, in the memory context of the planner or executor: a node of a tree, or
/// something beside it. `Node<'a>` is one whose type only its tag tells.
pub struct Node<'a, T = pg_sys::Node> {
    at: NonNull<T>,
    lent: PhantomData<&'a T>,
}

impl<T> Clone for Node<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Node<'_, T> {}

/// The same node; others may be equal to it for PostgreSQL.
impl<T> PartialEq for Node<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<'a, T> Node<'a, T> {
    /// The view of what a pointer points to; None for NULL.
    fn nullable(raw: *mut T) -> Option<Self> {
        let lent = PhantomData;
        NonNull::new(raw).map(|at| Node { at, lent })
    }

    /// PostgreSQL's pointer.
    pub fn raw(self) -> *mut T {
        self.at.as_ptr()
    }
}

/// A struct that begins with a tag which tells its type.
///
/// # Safety
/// PostgreSQL declares the struct with this tag.
pub unsafe trait Tagged {
    /// The tag.
    const TAG: NodeTag;
}

/// A struct that begins with a tag: one of a known type, or one of several.
///
/// # Safety
/// The first field is of type `NodeTag`.
pub unsafe trait AnyNode {}

// SAFETY: a tag is all that it has.
unsafe impl AnyNode for pg_sys::Node {}
// SAFETY: as above.
unsafe impl AnyNode for pg_sys::Expr {}
// SAFETY: its first field is the tag of the node that it is the beginning of.
unsafe impl AnyNode for pg_sys::PlanState {}

impl<'a, T: AnyNode> Node<'a, T> {
    /// The same, whatever its type.
    pub fn untyped(self) -> Node<'a> {
        Node {
            at: self.at.cast(),
            lent: PhantomData,
        }
    }

    /// What tells its type.
    pub fn tag(self) -> NodeTag {
        self.untyped().type_tag()
    }

    /// The node as one of type `U`; None if it is of another type.
    pub fn cast<U: Tagged>(self) -> Option<Node<'a, U>> {
        (self.tag() == U::TAG).then(|| Node {
            at: self.at.cast(),
            lent: PhantomData,
        })
    }

    /// Whether the node is of type `U`.
    pub fn is<U: Tagged>(self) -> bool {
        self.cast::<U>().is_some()
    }

    /// The elements of a list in a tree. PostgreSQL's own walkers take each of them for a node.
    pub fn as_list(self) -> Option<List<'a>> {
        self.cast().map(List::of_nodes)
    }
}

/// What an argument of a callback, a field of a node or the result of one of PostgreSQL's functions is seen as.
pub trait View {
    /// What PostgreSQL declares.
    type Raw;

    /// The view of it.
    ///
    /// # Safety
    /// A pointer points to a whole struct of the type that the view says, whose own pointers are what PostgreSQL
    /// declares them to be. All of it stays allocated for as long as the view lives, and no Rust reference to it
    /// exists.
    unsafe fn view(raw: Self::Raw) -> Self;
}

/// An argument that one of PostgreSQL's functions takes as a `Raw`.
pub trait Argument<Raw> {
    /// What PostgreSQL declares.
    fn to_raw(self) -> Raw;
}

/// Where PostgreSQL always has a pointer. NULL is an error.
impl<T> View for Node<'_, T> {
    type Raw = *mut T;

    unsafe fn view(raw: *mut T) -> Self {
        Node::nullable(raw).expect("PostgreSQL has set this pointer")
    }
}

impl<T> View for Option<Node<'_, T>> {
    type Raw = *mut T;

    unsafe fn view(raw: *mut T) -> Self {
        Node::nullable(raw)
    }
}

impl<T> Argument<*mut T> for Node<'_, T> {
    fn to_raw(self) -> *mut T {
        self.raw()
    }
}

impl<T> Argument<*const T> for Node<'_, T> {
    fn to_raw(self) -> *const T {
        self.raw()
    }
}

/// PostgreSQL declares any pointer where it means any node.
impl Argument<*const c_void> for Node<'_> {
    fn to_raw(self) -> *const c_void {
        self.raw().cast()
    }
}

impl Argument<*mut c_void> for Node<'_> {
    fn to_raw(self) -> *mut c_void {
        self.raw().cast()
    }
}

impl Argument<*mut pg_sys::Expr> for Node<'_> {
    fn to_raw(self) -> *mut pg_sys::Expr {
        self.raw().cast()
    }
}

impl<T> Argument<*mut T> for Option<Node<'_, T>> {
    fn to_raw(self) -> *mut T {
        self.map_or(std::ptr::null_mut(), Node::raw)
    }
}

impl Argument<*const c_char> for &CStr {
    fn to_raw(self) -> *const c_char {
        self.as_ptr()
    }
}

impl Argument<*const c_char> for Option<&CStr> {
    fn to_raw(self) -> *const c_char {
        self.map_or(std::ptr::null(), CStr::as_ptr)
    }
}

/// What a function only reads.
impl<T> Argument<*const T> for &T {
    fn to_raw(self) -> *const T {
        self
    }
}

/// A place that a function writes a value to, or changes.
impl<T> Argument<*mut T> for &mut T {
    fn to_raw(self) -> *mut T {
        self
    }
}

/// A C string, copied. PostgreSQL always has one where this stands.
impl View for CString {
    type Raw = *mut c_char;

    unsafe fn view(raw: *mut c_char) -> Self {
        // SAFETY: as the caller says.
        unsafe { CStr::from_ptr(raw) }.to_owned()
    }
}

/// Values that are their own view.
macro_rules! values {
    ($($value:ty),*) => {$(
        impl View for $value {
            type Raw = $value;

            unsafe fn view(raw: $value) -> Self {
                raw
            }
        }

        impl Argument<$value> for $value {
            fn to_raw(self) -> $value {
                self
            }
        }
    )*};
}

values!(
    (),
    bool,
    c_char,
    u8,
    i16,
    i32,
    i64,
    u32,
    u64,
    f32,
    f64,
    Oid,
    Datum,
    NodeTag,
    *const ()
);
values!(
    pg_sys::ListCell,
    pg_sys::ParamExternData,
    pg_sys::amoptions_function,
    pg_sys::ExecProcNodeMtd,
    pg_sys::ItemPointerData,
    pg_sys::NameData,
    pg_sys::NullableDatum
);

/// Defines getters and setters of fields of PostgreSQL's structs, and the tags of those that a node is cast to:
///
/// ```text
/// struct(tag) {
///     getter: view = |it| it.field;
///     <- setter: view = |it| it.field;
/// }
/// ```
///
/// Only fields of `it`, comparisons and casts of pointers to what they point to stand in the expressions.
macro_rules! views {
    ($($type:ident $(($tag:ident))? {
        $($(#[$meta:meta])* $name:ident: $view:ty = |$it:ident| $value:expr;)*
        $(<- $setter:ident: $new:ty = |$at:ident| $place:expr;)*
    })*) => {$(
        $($crate::nodes::views!(@tagged $type, $tag);)?

        impl<'a> $crate::nodes::Node<'a, pgrx::pg_sys::$type> {
            $(
                $(#[$meta])*
                pub fn $name(self) -> $view {
                    // SAFETY: the struct is as `View::view` was promised, and so is what the field refers to. The
                    // reference is gone before anything else runs.
                    unsafe {
                        let $it = &*self.raw();
                        <$view as $crate::nodes::View>::view($value)
                    }
                }
            )*
            $(
                pub fn $setter(self, new: $new) {
                    let new = $crate::nodes::Argument::to_raw(new);
                    // SAFETY: the struct is as `View::view` was promised; nobody else has a reference to it.
                    unsafe {
                        let $at = &mut *self.raw();
                        $place = new;
                    }
                }
            )*
        }
    )*};
    (@tagged $type:ident, $tag:ident) => {
        // SAFETY: so PostgreSQL declares it.
        unsafe impl $crate::nodes::AnyNode for pgrx::pg_sys::$type {}
        // SAFETY: as above.
        unsafe impl $crate::nodes::Tagged for pgrx::pg_sys::$type {
            const TAG: pgrx::pg_sys::NodeTag = pgrx::pg_sys::NodeTag::$tag;
        }
    };
}
pub(crate) use views;

/// Makes functions of PostgreSQL safe: `fn name(argument: its view) -> view of the result = function;`.
///
/// Listed here are only functions that do nothing unsafe when their nodes are valid and their numbers any: where
/// something is not in the catalog, or a tree is not what it must be, they raise an error. All run inside a
/// transaction.
macro_rules! functions {
    ($(
        $(#[$meta:meta])*
        $visibility:vis fn $name:ident $(<$lifetime:lifetime>)? ($($argument:ident: $type:ty),* $(,)?)
        $(-> $result:ty)? = $function:ident;
    )*) => {$(
        $(#[$meta])*
        $visibility fn $name $(<$lifetime>)? ($($argument: $type),*) $(-> $result)? {
            // SAFETY: the nodes are valid, as `View::view` was promised, and the function raises an error where others
            // are needed; relations are open. References are to whole values of the type that the function declares.
            // What it returns is a part of its arguments, or new in the current memory context, which is the
            // callback's.
            unsafe {
                $crate::nodes::View::view(pgrx::pg_sys::$function(
                    $($crate::nodes::Argument::to_raw($argument)),*
                ))
            }
        }
    )*};
}
pub(crate) use functions;

views! {
    Node {
        type_tag: NodeTag = |node| node.type_;
    }
    Const(T_Const) {
        is_null: bool = |constant| constant.constisnull;
        datum: Datum = |constant| constant.constvalue;
        /// The OID of its type.
        type_oid: Oid = |constant| constant.consttype;
        is_varlena: bool = |constant| constant.constlen == -1 && !constant.constbyval;
    }
    OpExpr(T_OpExpr) {}
}

/// What an expression is known to yield before it is evaluated.
#[derive(Clone, Copy)]
pub enum Value<T> {
    /// This.
    Known(T),
    /// NULL.
    Null,
    /// That is not known yet.
    Unknown,
}

impl<T> Value<T> {
    /// The same with another value where it is known.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Value<U> {
        match self {
            Value::Known(value) => Value::Known(change(value)),
            Value::Null => Value::Null,
            Value::Unknown => Value::Unknown,
        }
    }

    /// A value that may be NULL.
    pub fn of(value: T, is_null: bool) -> Self {
        if is_null { Value::Null } else { Value::Known(value) }
    }
}

impl<'a> Node<'a, pg_sys::Const> {
    /// The constant's value.
    pub fn value(self) -> Value<Datum> {
        Value::of(self.datum(), self.is_null())
    }
}
