//! Balls in expressions, as the planner has them.

use pgrx::pg_sys::{NodeTag, Oid};
use pgrx::{PgList, is_a, pg_sys};

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

    /// The ball that an expression of type bitvec_ball stands for; None for NULL.
    ///
    /// # Safety
    /// `node` is such an expression, `root` its planner.
    pub unsafe fn of(root: *mut pg_sys::PlannerInfo, node: *mut pg_sys::Node) -> Option<Self> {
        // SAFETY: as the caller says; nphd_ball has two arguments, of the types that of_parts takes.
        unsafe {
            if let Some(value) = constant(root, node) {
                let (radius, code) = ball::parts(varlena_bytes(value?));
                let (code, radius) = (Code::Known(code.to_vec()), Some(radius));
                return Some(BallExpr { code, radius });
            }
            if let Some([code, radius]) = constructor_arguments(node) {
                return Self::of_parts(root, code, radius);
            }
            let (code, radius) = (Code::Expression(node), None);
            Some(BallExpr { code, radius })
        }
    }
}

/// The arguments of a call of `nphd_ball`.
unsafe fn constructor_arguments(node: *mut pg_sys::Node) -> Option<[*mut pg_sys::Node; 2]> {
    // SAFETY: the caller passes an expression; its function exists.
    unsafe {
        if !is_a(node, NodeTag::T_FuncExpr) {
            return None;
        }
        let call = &*node.cast::<pg_sys::FuncExpr>();
        arguments(call.args).filter(|_| ball::is_constructor(address_of(call.funcid)))
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

/// Where a function's code is.
///
/// # Safety
/// The function exists.
pub unsafe fn address_of(function: Oid) -> pg_sys::PGFunction {
    let mut info = pg_sys::FmgrInfo::default();
    // SAFETY: as the caller says.
    unsafe { pg_sys::fmgr_info(function, &mut info) };
    info.fn_addr
}
