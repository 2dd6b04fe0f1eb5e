//! Balls in expressions, as the planner has them.

use std::ffi::CStr;

use pgrx::pg_sys::{Datum, NodeTag, Oid};
use pgrx::{PgList, is_a, pg_sys};

use crate::metrics::opclass::address_of;
use crate::types::ball;
use crate::types::bitvec::varlena_bytes;

/// A code in an expression.
pub enum Code {
    /// Its bytes, known while planning.
    Known(Vec<u8>),
    /// A column, or what is known only later.
    Expression(*mut pg_sys::Node),
}

impl Code {
    /// The code that an expression of type bitvec stands for; None for NULL.
    ///
    /// # Safety
    /// `node` is such an expression, `root` its planner.
    pub unsafe fn of(root: *mut pg_sys::PlannerInfo, node: *mut pg_sys::Node) -> Option<Self> {
        // SAFETY: as the caller says.
        unsafe {
            match constant(root, node) {
                None => Some(Code::Expression(node)),
                Some(value) => value.map(|datum| Code::Known(varlena_bytes(datum).to_vec())),
            }
        }
    }
}

/// A code and a radius in an expression.
pub struct BallExpr {
    /// The code.
    pub code: Code,
    /// The radius; None if it is known only later.
    pub radius: Option<f64>,
}

impl BallExpr {
    /// A ball given as its two parts; None if one of them is NULL.
    ///
    /// # Safety
    /// The nodes are expressions of type bitvec and float8, `root` their planner.
    pub unsafe fn of_parts(
        root: *mut pg_sys::PlannerInfo,
        code: *mut pg_sys::Node,
        radius: *mut pg_sys::Node,
    ) -> Option<Self> {
        // SAFETY: as the caller says.
        unsafe {
            let radius = match constant(root, radius) {
                None => None,
                Some(value) => Some(f64::from_bits(value?.value() as u64)),
            };
            let code = Code::of(root, code)?;
            Some(BallExpr { code, radius })
        }
    }

    /// The ball of `hamming_ball(code, bits)`; None if one of them is NULL.
    ///
    /// # Safety
    /// The nodes are expressions of type bitvec and integer, `root` their planner.
    pub unsafe fn of_bits(
        root: *mut pg_sys::PlannerInfo,
        code: *mut pg_sys::Node,
        bits: *mut pg_sys::Node,
    ) -> Option<Self> {
        // SAFETY: as the caller says.
        unsafe {
            let bits = match constant(root, bits) {
                None => None,
                Some(value) => Some(value?.value() as i32),
            };
            let code = Code::of(root, code)?;
            let radius = match (&code, bits) {
                (Code::Known(code), Some(bits)) => Some(ball::hamming_radius(bits, code.len())),
                _ => None,
            };
            Some(BallExpr { code, radius })
        }
    }

    /// The ball that an expression of type bitvec_ball stands for; None for NULL.
    ///
    /// # Safety
    /// `node` is such an expression, `root` its planner.
    pub unsafe fn of(root: *mut pg_sys::PlannerInfo, node: *mut pg_sys::Node) -> Option<Self> {
        // SAFETY: as the caller says; the constructors have two arguments, of the types that these functions take.
        unsafe {
            if let Some(value) = constant(root, node) {
                let (radius, code) = ball::parts(varlena_bytes(value?));
                let (code, radius) = (Code::Known(code.to_vec()), Some(radius));
                return Some(BallExpr { code, radius });
            }
            if let Some((function, [code, size])) = call_of_two(node) {
                if ball::is_constructor(function) {
                    return Self::of_parts(root, code, size);
                }
                if ball::is_hamming_ball(function) {
                    return Self::of_bits(root, code, size);
                }
            }
            let (code, radius) = (Code::Expression(node), None);
            Some(BallExpr { code, radius })
        }
    }
}

/// The function and the arguments of a call with two.
unsafe fn call_of_two(node: *mut pg_sys::Node) -> Option<(pg_sys::PGFunction, [*mut pg_sys::Node; 2])> {
    // SAFETY: the caller passes an expression; its function exists.
    unsafe {
        if !is_a(node, NodeTag::T_FuncExpr) {
            return None;
        }
        let call = &*node.cast::<pg_sys::FuncExpr>();
        Some((address_of(call.funcid), arguments(call.args)?))
    }
}

/// The elements of a list of expressions, if there are so many.
///
/// # Safety
/// `list` is a list of nodes, or NULL.
pub unsafe fn arguments<const N: usize>(list: *mut pg_sys::List) -> Option<[*mut pg_sys::Node; N]> {
    // SAFETY: as the caller says.
    let list = unsafe { PgList::<pg_sys::Node>::from_pg(list) };
    let nodes: Vec<_> = list.iter_ptr().collect();
    nodes.try_into().ok()
}

/// A list of nodes.
///
/// # Safety
/// Inside PostgreSQL's memory management, as ever.
pub unsafe fn list_of(nodes: &[*mut pg_sys::Node]) -> *mut pg_sys::List {
    let mut list = PgList::new();
    nodes.iter().for_each(|&node| list.push(node));
    list.into_pg()
}

/// A call of a function.
///
/// # Safety
/// The function exists, takes these arguments, and returns this type.
pub unsafe fn function_call(function: Oid, result: Oid, parts: &[*mut pg_sys::Node]) -> *mut pg_sys::Node {
    let (none, form) = (pg_sys::InvalidOid, pg_sys::CoercionForm::COERCE_EXPLICIT_CALL);
    // SAFETY: as the caller says.
    unsafe { pg_sys::makeFuncExpr(function, result, list_of(parts), none, none, form).cast() }
}

/// Our function of this name and these types in the schema of another one. Somebody else's, who may create functions there
/// and has found the name free in an extension not updated yet, is none: `is_ours` looks at its code.
///
/// Looked up without a look at privileges: nobody needs any on the schema to use a function that is already parsed.
///
/// # Safety
/// The other function exists.
pub unsafe fn function_beside(
    other: Oid,
    name: &CStr,
    types: &[Oid],
    is_ours: fn(pg_sys::PGFunction) -> bool,
) -> Option<Oid> {
    // SAFETY: reads the catalogs; the function exists.
    let function = unsafe {
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as i16,
            Datum::from(name.as_ptr()),
            Datum::from(pg_sys::buildoidvector(types.as_ptr(), types.len() as i32)),
            Datum::from(pg_sys::get_func_namespace(other)),
            Datum::from(0),
        )
    };
    // SAFETY: the function exists.
    (function != pg_sys::InvalidOid && is_ours(unsafe { address_of(function) })).then_some(function)
}

/// The value of an expression, as far as it can be known while planning: None if it cannot, Some(None) for NULL.
unsafe fn constant(root: *mut pg_sys::PlannerInfo, node: *mut pg_sys::Node) -> Option<Option<pg_sys::Datum>> {
    // SAFETY: the caller passes an expression and its planner.
    unsafe {
        let node = pg_sys::estimate_expression_value(root, node);
        if !is_a(node, NodeTag::T_Const) {
            return None;
        }
        let constant = &*node.cast::<pg_sys::Const>();
        Some((!constant.constisnull).then_some(constant.constvalue))
    }
}
