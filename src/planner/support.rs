//! What the planner asks about `nphd_within`, what it becomes, and the operators `<@` and `@>`.
//!
//! An error about a radius could tell of rows that row-level security hides. So `nphd_within`, which raises it, is not
//! leakproof. Where its radius comes from no row, it becomes `nphd_within_unchecked`, which is, with a check of the radius
//! alone. `nphd_near` is what follows from a comparison of a distance (`comparison.rs`).

use pgrx::pg_sys::{Datum, NodeTag};
use pgrx::prelude::*;
use pgrx::{is_a, pg_sys};

use super::ball_expr::{BallExpr, arguments, function_beside, function_call, list_of};
use super::selectivity::share_within;
use super::visibility::has_barrier;
use crate::metrics::opclass::{BALL_STRATEGY, NEAR_STRATEGY, address_of};
use crate::types::ball;
use crate::types::bitvec::Args;
use crate::types::sql_function;

/// Of which function the planner asks.
#[derive(Clone, Copy, PartialEq)]
enum Function {
    /// `nphd_within` or `nphd_within_unchecked`.
    Within,
    /// `nphd_near`.
    Near,
    /// `hamming_within`.
    Hamming,
}

sql_function!(
    /// Planner support of `nphd_within` and `nphd_within_unchecked`.
    nphd_within_support, |args| answer(args, Function::Within)
);
sql_function!(
    /// Planner support of `nphd_near`.
    nphd_near_support, |args| answer(args, Function::Near)
);
sql_function!(
    /// Planner support of `hamming_within`.
    hamming_within_support, |args| answer(args, Function::Hamming)
);

/// How many rows the function lets through, how an index can serve it, and what it becomes; NULL to other questions.
fn answer(args: Args, of: Function) -> Datum {
    let request = args.datum(0).cast_mut_ptr::<pg_sys::Node>();
    let none = std::ptr::null_mut::<pg_sys::Node>();
    // SAFETY: the planner passes a request; its tag tells of which kind.
    unsafe {
        if is_a(request, NodeTag::T_SupportRequestSelectivity) {
            let answered = estimate(&mut *request.cast(), of);
            Datum::from(if answered { request } else { none })
        } else if is_a(request, NodeTag::T_SupportRequestIndexCondition) {
            Datum::from(index_condition(&mut *request.cast(), of))
        } else if is_a(request, NodeTag::T_SupportRequestSimplify) && of == Function::Within {
            Datum::from(leakproof_call(&*request.cast()))
        } else {
            Datum::from(none)
        }
    }
}

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
                share_within(root, code, BallExpr::of(root, ball), relation, function)
            }
            None => 0.0,
        }
    };
    Datum::from(share.to_bits())
}

/// Answers how many rows the function lets through; false if it cannot.
unsafe fn estimate(request: &mut pg_sys::SupportRequestSelectivity, of: Function) -> bool {
    // SAFETY: the planner's own structures; the function's arguments have the types that it is declared with.
    unsafe {
        let Some([code, query, size]) = arguments(request.args) else {
            return false;
        };
        let (root, relation, function) = (request.root, request.varRelid, request.funcid);
        let within = |code, ball| share_within(root, code, ball, relation, function);
        request.selectivity = match of {
            Function::Within => within(code, BallExpr::of_parts(root, query, size)),
            // The comparison beside it is taken to let a third through.
            Function::Near => (3.0 * within(code, BallExpr::of_parts(root, query, size))).min(1.0),
            // As if all codes were of one length. Either argument may be the column.
            Function::Hamming => match BallExpr::of_bits(root, code, size) {
                Some(ball) if ball.radius.is_some() => within(query, Some(ball)),
                _ => within(code, BallExpr::of_bits(root, query, size)),
            },
        };
        true
    }
}

/// `column <@ nphd_ball(query, radius)` in place of `nphd_within(column, query, radius)`, when the column is indexed and
/// the others are known when the scan starts; NULL otherwise.
unsafe fn index_condition(request: &mut pg_sys::SupportRequestIndexCondition, of: Function) -> *mut pg_sys::List {
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
        let is_unchecked = || ball::is_within_unchecked(address_of(request.funcid));
        let (name, strategy) = match of {
            Function::Within if is_unchecked() => (c"nphd_ball_unchecked", BALL_STRATEGY),
            Function::Within => (c"nphd_ball", BALL_STRATEGY),
            Function::Near => (c"nphd_ball_unchecked", NEAR_STRATEGY),
            Function::Hamming => (c"hamming_ball", BALL_STRATEGY),
        };
        let types = [code_type, pg_sys::exprType(radius)];
        let is_ours = |function| ball::is_constructor(function) || ball::is_hamming_ball(function);
        let Some(constructor) = function_beside(request.funcid, name, &types, is_ours) else {
            return none;
        };
        let ball_type = pg_sys::get_func_rettype(constructor);
        let operator = pg_sys::get_opfamily_member(request.opfamily, code_type, ball_type, strategy as i16);
        if operator == pg_sys::InvalidOid {
            return none;
        }
        let no_collation = pg_sys::InvalidOid;
        let ball = function_call(constructor, ball_type, &[query, radius]);
        let clause = pg_sys::make_opclause(
            operator,
            pg_sys::BOOLOID,
            false,
            column.cast(),
            ball.cast(),
            no_collation,
            no_collation,
        );
        // Codes of other lengths are in that ball, too.
        request.lossy = of == Function::Hamming;
        list_of(&[clause.cast()])
    }
}

/// `nphd_within_unchecked(code, query, nphd_radius(radius))` in place of `nphd_within(code, query, radius)`, in a statement
/// that may not see all rows and whose radius comes from none; NULL otherwise.
unsafe fn leakproof_call(request: &pg_sys::SupportRequestSimplify) -> *mut pg_sys::Node {
    let none = std::ptr::null_mut();
    // SAFETY: the planner's own structures; there may be no planner.
    unsafe {
        let call = &*request.fcall;
        let Some([code, query, radius]) = arguments(call.args) else {
            return none;
        };
        let is_unchecked = ball::is_within_unchecked(address_of(call.funcid));
        if is_unchecked
            || request.root.is_null()
            || !has_barrier((*request.root).parse)
            || pg_sys::contain_var_clause(radius)
        {
            return none;
        }
        let (code_type, float8) = (pg_sys::exprType(code), pg_sys::FLOAT8OID);
        let (name, types) = (c"nphd_within_unchecked", [code_type, code_type, float8]);
        let unchecked = function_beside(call.funcid, name, &types, ball::is_within_unchecked);
        let check = function_beside(call.funcid, c"nphd_radius", &[float8], ball::is_radius);
        let (Some(unchecked), Some(check)) = (unchecked, check) else {
            return none;
        };
        let radius = function_call(check, float8, &[radius]);
        let radius = pg_sys::eval_const_expressions(request.root, radius);
        function_call(unchecked, pg_sys::BOOLOID, &[code, query, radius])
    }
}
