//! What the planner asks about `nphd_within` and the operators `<@` and `@>`.

use pgrx::pg_sys::{Datum, NodeTag};
use pgrx::prelude::*;
use pgrx::{PgList, is_a, pg_sys};

use super::BALL_STRATEGY;
use super::ball_expr::{BallExpr, address_of, arguments};
use super::selectivity::share_within;
use crate::types::ball;
use crate::types::sql_function;

sql_function!(
    /// Planner support of `nphd_within`: how many rows it lets through, and how an index can serve it.
    nphd_within_support, |args| {
        let request = args.datum(0).cast_mut_ptr::<pg_sys::Node>();
        // SAFETY: the planner passes a request; its tag tells of which kind.
        unsafe {
            if is_a(request, NodeTag::T_SupportRequestSelectivity) {
                let answered = estimate(&mut *request.cast());
                Datum::from(if answered { request } else { std::ptr::null_mut() })
            } else if is_a(request, NodeTag::T_SupportRequestIndexCondition) {
                Datum::from(index_condition(&mut *request.cast()))
            } else {
                Datum::from(std::ptr::null_mut::<pg_sys::Node>())
            }
        }
    }
);

sql_function!(
    /// Restriction estimator of `<@` and `@>`.
    bitvec_ball_sel, |args| {
        let (root, operator, list) = (args.datum(0), args.datum(1), args.datum(2));
        // SAFETY: what the planner passes to a restriction estimator.
        unsafe { operator_share(root.cast_mut_ptr(), operator, list.cast_mut_ptr(), args.int(3)) }
    }
);

sql_function!(
    /// Join estimator of `<@` and `@>`.
    bitvec_ball_joinsel, |args| {
        let (root, operator, list) = (args.datum(0), args.datum(1), args.datum(2));
        // SAFETY: what the planner passes to a join estimator.
        unsafe { operator_share(root.cast_mut_ptr(), operator, list.cast_mut_ptr(), 0) }
    }
);

/// The estimate for an operator: code and ball, or the other way round.
unsafe fn operator_share(
    root: *mut pg_sys::PlannerInfo,
    operator: Datum,
    list: *mut pg_sys::List,
    relation: i32,
) -> Datum {
    // SAFETY: the planner's own structures; which operand has which type follows from the operator's function.
    let share = unsafe {
        let function = pg_sys::get_opcode(pg_sys::Oid::from_datum(operator, false).unwrap_or(pg_sys::InvalidOid));
        match arguments(list) {
            Some([left, right]) => {
                let is_first = ball::is_in_ball(address_of(function));
                let (code, ball) = if is_first { (left, right) } else { (right, left) };
                share_within(root, code, BallExpr::of(root, ball), relation)
            }
            None => 0.0,
        }
    };
    Datum::from(share.to_bits())
}

/// Answers how many rows `nphd_within(code, code, radius)` lets through; false if it cannot.
unsafe fn estimate(request: &mut pg_sys::SupportRequestSelectivity) -> bool {
    // SAFETY: the planner's own structures; the function's arguments have the types that it is declared with.
    unsafe {
        let Some([code, query, radius]) = arguments(request.args) else {
            return false;
        };
        let root = request.root;
        let ball = BallExpr::of_parts(root, query, radius);
        request.selectivity = share_within(root, code, ball, request.varRelid);
        true
    }
}

/// `column <@ nphd_ball(query, radius)` in place of `nphd_within(column, query, radius)`, when the column is indexed and
/// the others are known when the scan starts; NULL otherwise.
unsafe fn index_condition(request: &mut pg_sys::SupportRequestIndexCondition) -> *mut pg_sys::List {
    let none = std::ptr::null_mut();
    // SAFETY: the planner's own structures.
    unsafe {
        if !is_a(request.node, NodeTag::T_FuncExpr) {
            return none;
        }
        let call = &*request.node.cast::<pg_sys::FuncExpr>();
        let Some([first, second, radius]) = arguments(call.args) else {
            return none;
        };
        let (column, query) = match request.indexarg {
            0 => (first, second),
            1 => (second, first),
            _ => return none,
        };
        let is_known = |node| pg_sys::is_pseudo_constant_for_index(request.root, node, request.index);
        if !is_known(query) || !is_known(radius) {
            return none;
        }
        let code_type = *(*request.index).opcintype.add(request.indexcol as usize);
        let Some((constructor, ball_type)) = ball_constructor(request.funcid, code_type) else {
            return none;
        };
        let strategy = BALL_STRATEGY as i16;
        let operator = pg_sys::get_opfamily_member(request.opfamily, code_type, ball_type, strategy);
        if operator == pg_sys::InvalidOid {
            return none;
        }
        let (no_collation, explicit) = (pg_sys::InvalidOid, pg_sys::CoercionForm::COERCE_EXPLICIT_CALL);
        let parts = list_of(&[query, radius]);
        let ball = pg_sys::makeFuncExpr(constructor, ball_type, parts, no_collation, no_collation, explicit);
        let boolean = pg_sys::BOOLOID;
        let clause = pg_sys::make_opclause(
            operator,
            boolean,
            false,
            column.cast(),
            ball.cast(),
            no_collation,
            no_collation,
        );
        request.lossy = false;
        list_of(&[clause.cast()])
    }
}

unsafe fn list_of(nodes: &[*mut pg_sys::Node]) -> *mut pg_sys::List {
    let mut list = PgList::new();
    nodes.iter().for_each(|&node| list.push(node));
    list.into_pg()
}

/// The function `nphd_ball` beside this one, for codes of this type, and what it returns.
///
/// Looked up without a look at privileges: nobody needs any on the schema to use a function that is already parsed.
unsafe fn ball_constructor(beside: pg_sys::Oid, code_type: pg_sys::Oid) -> Option<(pg_sys::Oid, pg_sys::Oid)> {
    // SAFETY: reads the catalogs; the function exists.
    unsafe {
        let types = [code_type, pg_sys::FLOAT8OID];
        let function = pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as i16,
            Datum::from(c"nphd_ball".as_ptr()),
            Datum::from(pg_sys::buildoidvector(types.as_ptr(), types.len() as i32)),
            Datum::from(pg_sys::get_func_namespace(beside)),
            Datum::from(0),
        );
        if function == pg_sys::InvalidOid {
            return None;
        }
        Some((function, pg_sys::get_func_rettype(function)))
    }
}
