//! What the planner asks about `nphd_within`, what it becomes, and the operators `<@` and `@>`.
//!
//! An error about a radius could reveal rows that row-level security hides. So `nphd_within`, which raises it, is not
//! leakproof. Where its radius comes from no row, it becomes `nphd_within_unchecked`, which is leakproof, with a check
//! of the radius alone. `nphd_near` is what follows from a comparison of a distance (`comparison.rs`).

use pgrx::pg_sys::{self, Datum, Oid};

use super::ball_expr::BallExpr;
use super::functions::{
    condition, function_beside, function_call, function_of_operator, has_columns, is_known_to_scan, operator_of_family,
    result_type, simplified, type_of,
};
use super::nodes::Planner;
use super::selectivity::Question;
use super::visibility::has_barrier;
use crate::metrics::opclass::{BALL_STRATEGY, NEAR_STRATEGY, address_of};
use crate::nodes::{List, Node};
use crate::types::ball;
use crate::types::bitvec::Args;
use crate::types::sql_function;

/// The function that the planner asks about.
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

/// How many rows the function lets through, how an index can serve it, and what it becomes; NULL for other requests.
fn answer(args: Args<'_>, function: Function) -> Datum {
    let request: Node<'_> = args.view(0);
    let null = Datum::from(0);
    if let Some(request) = request.cast() {
        estimate(request, function).map_or(null, |share| {
            request.set_selectivity(share);
            args.datum(0)
        })
    } else if let Some(request) = request.cast() {
        let condition = index_condition(request, function);
        condition.map_or(null, |condition| Datum::from(List::of(&[condition]).raw()))
    } else if let Some(request) = request.cast()
        && function == Function::Within
    {
        leakproof_call(request).map_or(null, |call| Datum::from(call.raw()))
    } else {
        null
    }
}

sql_function!(
    /// Restriction estimator of `<@` and `@>`.
    bitvec_ball_sel, |args| operator_share(args, args.int(3))
);

sql_function!(
    /// Join estimator of `<@` and `@>`.
    bitvec_ball_joinsel, |args| operator_share(args, 0)
);

/// The estimate for an operator: code and ball, or the other way round.
fn operator_share(args: Args<'_>, relation: i32) -> Datum {
    let (planner, operands): (Planner<'_>, List<'_>) = (args.view(0), args.view(2));
    let function = function_of_operator(Oid::from(args.datum(1).value() as u32));
    let question = Question {
        planner,
        relation,
        function,
    };
    // Which operand has which type follows from the operator's function.
    let share = match operands.array() {
        Some([left, right]) => {
            let is_first = ball::is_in_ball(address_of(function));
            let (code, ball) = if is_first { (left, right) } else { (right, left) };
            question.share_within(code, BallExpr::of(planner, ball))
        }
        None => 0.0,
    };
    Datum::from(share.to_bits())
}

/// The share of the rows that the function lets through. Its arguments have the types that it is declared with.
fn estimate(request: Node<'_, pg_sys::SupportRequestSelectivity>, of: Function) -> Option<f64> {
    let [code, query, size] = request.arguments().array()?;
    let planner = request.planner();
    let question = Question {
        planner,
        relation: request.relation(),
        function: request.function(),
    };
    let within = |code, ball| question.share_within(code, ball);
    Some(match of {
        Function::Within => within(code, BallExpr::of_parts(planner, query, size)),
        // The planner assumes that the comparison beside it lets a third through.
        Function::Near => (3.0 * within(code, BallExpr::of_parts(planner, query, size))).min(1.0),
        // As if all codes had the same length. Either argument may be the column.
        Function::Hamming => match BallExpr::of_bits(planner, code, size) {
            Some(ball) if ball.radius.is_some() => within(query, Some(ball)),
            _ => within(code, BallExpr::of_bits(planner, query, size)),
        },
    })
}

/// A call such as `nphd_within(column, query, radius)` that an index may serve.
pub struct Threshold<'a> {
    /// The indexed argument.
    pub column: Node<'a>,
    /// The other one.
    pub query: Node<'a>,
    /// The radius.
    pub radius: Node<'a>,
    /// The type that the index is for.
    pub input: Oid,
}

impl<'a> Threshold<'a> {
    /// That of a request; None unless query and radius are known when the scan starts.
    pub fn of(request: Node<'a, pg_sys::SupportRequestIndexCondition>) -> Option<Self> {
        let call = request.condition().cast::<pg_sys::FuncExpr>()?;
        let [first, second, radius] = call.arguments().array()?;
        let (column, query) = match request.column_argument() {
            0 => (first, second),
            1 => (second, first),
            _ => return None,
        };
        let is_known = |node| is_known_to_scan(request.planner(), node, request.index());
        let input = request.index().types().get(usize::try_from(request.column()).ok()?)?;
        (is_known(query) && is_known(radius)).then_some(Threshold {
            column,
            query,
            radius,
            input,
        })
    }
}

/// `column <@ nphd_ball(query, radius)` in place of `nphd_within(column, query, radius)`, when the column is indexed
/// and the others are known when the scan starts.
fn index_condition<'a>(request: Node<'a, pg_sys::SupportRequestIndexCondition>, of: Function) -> Option<Node<'a>> {
    let Threshold {
        column,
        query,
        radius,
        input: code_type,
    } = Threshold::of(request)?;
    let is_unchecked = || ball::is_within_unchecked(address_of(request.function()));
    let (name, strategy) = match of {
        Function::Within if is_unchecked() => (c"nphd_ball_unchecked", BALL_STRATEGY),
        Function::Within => (c"nphd_ball", BALL_STRATEGY),
        Function::Near => (c"nphd_ball_unchecked", NEAR_STRATEGY),
        Function::Hamming => (c"hamming_ball", BALL_STRATEGY),
    };
    let types = [code_type, type_of(radius)];
    let is_ours = |function| ball::is_constructor(function) || ball::is_hamming_ball(function);
    let constructor = function_beside(request.function(), name, &types, is_ours)?;
    let ball_type = result_type(constructor);
    let operator = operator_of_family(request.family(), code_type, ball_type, strategy as i16);
    if operator == pg_sys::InvalidOid {
        return None;
    }
    let ball = function_call(constructor, ball_type, List::of(&[query, radius]));
    // Codes of other lengths are in that ball, too.
    request.set_lossy(of == Function::Hamming);
    Some(condition(operator, column, ball))
}

/// `nphd_within_unchecked(code, query, nphd_radius(radius))` in place of `nphd_within(code, query, radius)`, in a
/// statement that may not see all rows and whose radius comes from none.
fn leakproof_call<'a>(request: Node<'a, pg_sys::SupportRequestSimplify>) -> Option<Node<'a>> {
    let call = request.call();
    let [code, query, radius] = call.arguments().array()?;
    let planner = request.planner()?;
    let is_unchecked = ball::is_within_unchecked(address_of(call.function()));
    if is_unchecked || !has_barrier(planner.query()) || has_columns(radius) {
        return None;
    }
    let (code_type, float8) = (type_of(code), pg_sys::FLOAT8OID);
    let (name, types) = (c"nphd_within_unchecked", [code_type, code_type, float8]);
    let unchecked = function_beside(call.function(), name, &types, ball::is_within_unchecked)?;
    let check = function_beside(call.function(), c"nphd_radius", &[float8], ball::is_radius)?;
    let radius = simplified(Some(planner), function_call(check, float8, List::of(&[radius])));
    Some(function_call(
        unchecked,
        pg_sys::BOOLOID,
        List::of(&[code, query, radius]),
    ))
}
