//! What the planner asks about thresholds for dense vectors, such as `l2_within` and what follows from `v <-> query <
//! 0.5`.
//!
//! Other than for codes, these functions are not leakproof: they raise an error for other dimensions. So under
//! row-level security the index does not serve them.

use pgrx::pg_sys::{self, Datum, Oid};

use iscc_metrics::{DenseMetric, Metric};

use super::ball_expr::value_of;
use super::functions::{
    call_of_two, condition, estimated, function_beside, function_call, function_of_operator, is_index_column,
    operator_of_family, result_type, type_of,
};
use super::is_usearch_info;
use super::nodes::{IndexInfo, Planner};
use super::selectivity::{DEFAULT, Question};
use super::support::Threshold;
use super::vectors::{comparison_of_info, support_of};
use crate::metrics::opclass::{BALL_STRATEGY, NEAR_STRATEGY, address_of, described_by};
use crate::metrics::vector_query::{VectorBall, VectorQuery};
use crate::nodes::{List, Node, Value};
use crate::server;
use crate::types::bitvec::float8;
use crate::types::dense_ball::{Role, role_of};
use crate::types::sql_function;

/// Pages of the log that a sample has: of 384 dimensions some 320 vectors.
const SAMPLE_PAGES: u64 = 64;

sql_function!(
    /// Planner support of `l2_within`, `l2_near`, and the same for the other metrics.
    dense_within_support, |args| {
        let request: Node<'_> = args.view(0);
        let null = Datum::from(0);
        if let Some(request) = request.cast() {
            estimate(request).map_or(null, |share| {
                request.set_selectivity(share);
                args.datum(0)
            })
        } else if let Some(request) = request.cast() {
            index_condition(request).map_or(null, |condition| Datum::from(List::of(&[condition]).raw()))
        } else {
            null
        }
    }
);

/// The SQL name of a function of a metric, such as `l2_ball`.
fn name_of(metric: DenseMetric, near: bool) -> &'static std::ffi::CStr {
    match (metric, near) {
        (DenseMetric::L2, false) => c"l2_ball",
        (DenseMetric::L2, true) => c"l2_ball_unchecked",
        (DenseMetric::InnerProduct, false) => c"ip_ball",
        (DenseMetric::InnerProduct, true) => c"ip_ball_unchecked",
        (DenseMetric::Cosine, false) => c"cosine_ball",
        (DenseMetric::Cosine, true) => c"cosine_ball_unchecked",
        (DenseMetric::L1, false) => c"l1_ball",
        (DenseMetric::L1, true) => c"l1_ball_unchecked",
        (DenseMetric::Pearson, false) => c"pearson_ball",
        (DenseMetric::Pearson, true) => c"pearson_ball_unchecked",
        (DenseMetric::JensenShannon, false) => c"jensen_shannon_ball",
        (DenseMetric::JensenShannon, true) => c"jensen_shannon_ball_unchecked",
        (DenseMetric::Haversine, false) => c"haversine_ball",
        (DenseMetric::Haversine, true) => c"haversine_ball_unchecked",
    }
}

/// The SQL name of the condition that follows from a comparison.
fn near_name(metric: DenseMetric) -> &'static std::ffi::CStr {
    match metric {
        DenseMetric::L2 => c"l2_near",
        DenseMetric::InnerProduct => c"ip_near",
        DenseMetric::Cosine => c"cosine_near",
        DenseMetric::L1 => c"l1_near",
        DenseMetric::Pearson => c"pearson_near",
        DenseMetric::JensenShannon => c"jensen_shannon_near",
        DenseMetric::Haversine => c"haversine_near",
    }
}

fn has_role(address: pg_sys::PGFunction, role: Role) -> bool {
    role_of(address).is_some_and(|(_, of)| of == role)
}

/// `column <@ l2_ball(query, radius)` in place of `l2_within(column, query, radius)`, when the column is indexed by
/// this metric and the others are known when the scan starts.
fn index_condition<'a>(request: Node<'a, pg_sys::SupportRequestIndexCondition>) -> Option<Node<'a>> {
    let Threshold {
        column,
        query,
        radius,
        input: vector,
    } = Threshold::of(request)?;
    let (metric, role) = role_of(address_of(request.function()))?;
    let is_near = role == Role::Near;
    let strategy = if is_near { NEAR_STRATEGY } else { BALL_STRATEGY };
    let is_constructor = |function| has_role(function, Role::Ball);
    let types = [vector, type_of(radius)];
    let constructor = function_beside(request.function(), name_of(metric, is_near), &types, is_constructor)?;
    let ball_type = result_type(constructor);
    // Balls of each metric have a type of their own, so a family of another metric has no such operator.
    let operator = operator_of_family(request.family(), vector, ball_type, strategy as i16);
    if operator == pg_sys::InvalidOid {
        return None;
    }
    let ball = function_call(constructor, ball_type, List::of(&[query, radius]));
    request.set_lossy(false);
    Some(condition(operator, column, ball))
}

/// The share of the rows that the function lets through.
fn estimate(request: Node<'_, pg_sys::SupportRequestSelectivity>) -> Option<f64> {
    let [first, second, radius] = request.arguments().array()?;
    let planner = request.planner();
    let (metric, role) = role_of(address_of(request.function()))?;
    let question = Question {
        planner,
        relation: request.relation(),
        function: request.function(),
    };
    let radius = match value_of(planner, radius) {
        Value::Known(radius) => f64::from_bits(radius.value() as u64),
        Value::Null => return Some(0.0),
        Value::Unknown => return Some(DEFAULT),
    };
    let share = share_within(question, metric, first, second, radius)
        .or_else(|| share_within(question, metric, second, first, radius))
        .unwrap_or(DEFAULT);
    // The planner assumes that the comparison beside a condition that follows from it lets a third through.
    let factor = if role == Role::Near { 3.0 } else { 1.0 };
    Some((factor * share).clamp(0.0, 1.0))
}

sql_function!(
    /// Restriction estimator of `<@` and `<@~` with balls of vectors.
    dense_ball_sel, |args| {
        let (planner, operands): (Planner<'_>, List<'_>) = (args.view(0), args.view(2));
        let question = Question {
            planner,
            relation: args.int(3),
            function: function_of_operator(Oid::from(args.datum(1).value() as u32)),
        };
        let share = operands.array().and_then(|[vector, ball]| ball_share(question, vector, ball));
        float8(share.unwrap_or(DEFAULT).clamp(0.0, 1.0))
    }
);

/// The share of the rows whose vector is in a ball: that of a constructor's call, which stands where an index serves a
/// threshold.
fn ball_share<'a>(question: Question<'a>, vector: Node<'a>, ball: Node<'a>) -> Option<f64> {
    let (metric, _) = role_of(address_of(question.function))?;
    let (constructor, [center, radius]) = call_of_two(ball)?;
    if !has_role(address_of(constructor), Role::Ball) {
        return None;
    }
    match value_of(question.planner, radius) {
        Value::Known(radius) => {
            let radius = f64::from_bits(radius.value() as u64);
            share_within(question, metric, vector, center, radius)
        }
        Value::Null => Some(0.0),
        Value::Unknown => None,
    }
}

/// The share of the vectors of an index on `column` within a radius of `query`; None when there is no such index,
/// nothing in it, or nothing that the user may know.
fn share_within<'a>(
    question: Question<'a>,
    metric: DenseMetric,
    column: Node<'a>,
    query: Node<'a>,
    radius: f64,
) -> Option<f64> {
    let has_metric = |&index: &IndexInfo<'_>| {
        comparison_of_info(index).is_some_and(|comparison| comparison.metric == metric.metric())
    };
    question.in_index(column, has_metric, SAMPLE_PAGES, |info, index, sample, sees_all| {
        let ball = |value: &[u8]| {
            // SAFETY: the planner's context, which outlives the callback.
            let query = unsafe { VectorQuery::new(index, server::memory_context(), &mut None, value) };
            query.map(|query| VectorBall::new(query, radius))
        };
        let known = estimated(question.planner, query).cast::<pg_sys::Const>();
        let is_of_type = |constant: &Node<'_, pg_sys::Const>| info.types().get(0) == Some(constant.type_oid());
        match known.filter(is_of_type).map(Node::value) {
            Some(Value::Null) => 0.0,
            Some(Value::Known(datum)) if sees_all => {
                let comparison = comparison_of_info(info);
                // SAFETY: a constant of the index's type, which lives as long as its node does; so does the current context.
                let ball = comparison.and_then(|comparison| ball(unsafe { comparison.bytes(datum) }));
                ball.map_or(DEFAULT, |ball| sample.share_within(&ball, info.entries()))
            }
            _ => sample.share_of_neighbours(ball, info.entries()),
        }
    })
}

/// For a distance by which one of these indexes orders one of its arguments: the function that says whether it is at
/// most a radius, such as `l2_near`, and the metric. It is beside the type info of the operator class.
pub fn near_function<'a>(
    distance: Oid,
    arguments: [Node<'a>; 2],
    indexes: impl Iterator<Item = IndexInfo<'a>>,
) -> Option<(Oid, Metric)> {
    let [first, second] = arguments;
    let serves = |&index: &IndexInfo<'_>| {
        is_usearch_info(index) && [first, second].iter().any(|&node| is_index_column(node, 0, index))
    };
    indexes.filter(serves).find_map(|index| {
        let (function, info, input) = support_of(index)?;
        if function != distance {
            return None;
        }
        let metric = described_by(info, input)?.metric.dense()?;
        let is_near = |function| has_role(function, Role::Near);
        let near = function_beside(info, near_name(metric), &[input, input, pg_sys::FLOAT8OID], is_near)?;
        Some((near, metric.metric()))
    })
}

/// The same for arrays, whose distances are ours, whatever the indexes are.
pub fn near_function_of_arrays(distance: Oid, metric: DenseMetric) -> Option<Oid> {
    let array = pg_sys::FLOAT4ARRAYOID;
    let is_near = |function| has_role(function, Role::Near);
    function_beside(distance, near_name(metric), &[array, array, pg_sys::FLOAT8OID], is_near)
}
