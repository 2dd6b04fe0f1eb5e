//! Finds out what the plan above an ordered scan wants of it.
//!
//! PostgreSQL builds DISTINCT, GROUP BY, merge joins, window functions, WITH TIES and more on the order of a scan and
//! on its having every row. So a scan is exact unless a LIMIT bounds it and nothing in between relies on its order:
//! only then is an approximate search what the statement asks for. The executor's start hook finds these scans and
//! writes what they are for into their ordering key: the upper bits of `sk_flags` belong to the access method, and
//! `amrescan` gets them back with each query.

use pgrx::pg_sys::{self, Datum, NodeTag};

use super::nodes::{Members, PlanState};
use crate::am::scan;
use crate::compat;
use crate::nodes::{Node, Value};
use crate::search::demand::{Demand, MOST_ROWS};
use crate::storage::definition::is_usearch_index;

/// Rows that a LIMIT is assumed to want while its number is not known.
const USUAL_ROWS: f64 = 10.0;

/// Has each plan examined when it starts; called when the library is loaded.
pub fn register() {
    compat::on_executor_start(examine);
}

/// Tells the scans below each LIMIT of a plan what they are for.
fn examine(node: PlanState<'_>) {
    if let Some(limit) = node.cast::<pg_sys::LimitState>()
        && limit.counts_rows()
        && let Some(rows) = rows_of(limit)
        && let Some(below) = node.left()
    {
        Bounded { rows, filtered: false }.reaches(below);
    }
    for_each_child(node, examine);
}

/// Calls `visit` with all nodes directly below this one, those of subqueries included.
fn for_each_child<'a>(node: PlanState<'a>, visit: fn(PlanState<'a>)) {
    for subplan in node.initial_plans().iter().chain(node.subplans().iter()) {
        subplan.top().into_iter().for_each(visit);
    }
    [node.left(), node.right()].into_iter().flatten().for_each(visit);
    members(node).iter().flat_map(Members::iter).flatten().for_each(visit);
    if let Some(subquery) = node.cast::<pg_sys::SubqueryScanState>() {
        subquery.top().into_iter().for_each(visit);
    }
    if let Some(custom) = node.cast::<pg_sys::CustomScanState>() {
        custom.members().iter().for_each(visit);
    }
}

/// The members of an Append or MergeAppend.
fn members(node: PlanState<'_>) -> Option<Members<'_>> {
    let append = node.cast::<pg_sys::AppendState>().map(|append| append.members());
    append.or_else(|| node.cast::<pg_sys::MergeAppendState>().map(|append| append.members()))
}

/// The rows that a LIMIT lets through or skips; None without a number.
fn rows_of(limit: Node<'_, pg_sys::LimitState>) -> Option<f64> {
    let (plan, query) = (limit.plan(), limit.query());
    let count = match number(plan.count()?, query) {
        Value::Known(count) => count,
        // LIMIT NULL is no limit.
        Value::Null => return None,
        Value::Unknown => USUAL_ROWS,
    };
    let offset = match plan.offset().map(|offset| number(offset, query)) {
        Some(Value::Known(offset)) => offset,
        _ => 0.0,
    };
    Some((count + offset).max(1.0))
}

/// The value of a constant or of a statement's parameter, of type bigint.
fn number(node: Node<'_>, query: Node<'_, pg_sys::EState>) -> Value<f64> {
    let bigint = |datum: Datum| datum.value() as i64 as f64;
    if let Some(constant) = node.cast::<pg_sys::Const>() {
        return constant.value().map(bigint);
    }
    let value = node.cast().and_then(|parameter| value_of(parameter, query));
    match value {
        Some(value) if value.ptype == pg_sys::INT8OID => Value::of(bigint(value.value), value.isnull),
        _ => Value::Unknown,
    }
}

/// The value that a statement was given for a parameter, if it is in the statement's list.
fn value_of(parameter: Node<'_, pg_sys::Param>, query: Node<'_, pg_sys::EState>) -> Option<pg_sys::ParamExternData> {
    let list = query.parameters().filter(|list| !list.are_fetched())?;
    let at = usize::try_from(parameter.number() - 1).ok()?;
    parameter.is_external().then(|| list.values().get(at)).flatten()
}

/// What a LIMIT wants of the nodes below it.
#[derive(Clone, Copy)]
struct Bounded {
    /// Rows of the node at hand.
    rows: f64,
    filtered: bool,
}

impl Bounded {
    /// Follows the LIMIT to the scans that it bounds: through nodes that hand rows on one by one, in their order. Any
    /// other node relies on the order, or wants all rows.
    fn reaches(self, node: PlanState<'_>) {
        let filtered = self.filtered || node.condition().is_some();
        let below = Bounded { filtered, ..self };
        if let NodeTag::T_ResultState | NodeTag::T_LockRowsState | NodeTag::T_ProjectSetState = node.tag() {
            node.left().into_iter().for_each(|child| below.reaches(child));
        } else if let Some(subquery) = node.cast::<pg_sys::SubqueryScanState>() {
            subquery
                .top()
                .into_iter()
                .for_each(|top| below.through(node, top).reaches(top));
        } else if let Some(members) = members(node) {
            members.iter().flatten().for_each(|member| below.reaches(member));
        } else if node.is::<pg_sys::NestLoopState>() {
            let joined = Bounded {
                filtered: true,
                ..below
            };
            node.left()
                .into_iter()
                .for_each(|outer| joined.through(node, outer).reaches(outer));
        } else if let Some(scan) = node.cast::<pg_sys::IndexScanState>() {
            below.tell(scan);
        }
    }

    /// What is wanted of `child` when `node` lets only a part of its rows pass.
    fn through(self, node: PlanState<'_>, child: PlanState<'_>) -> Self {
        let (out, of) = (node.plan().rows(), child.plan().rows());
        Bounded {
            rows: self.rows * (of.max(1.0) / out.max(1.0)).max(1.0),
            ..self
        }
    }

    /// Tells a scan what it is for.
    fn tell(self, scan: Node<'_, pg_sys::IndexScanState>) {
        let (Some(index), Some(key)) = (scan.index(), scan.order_key()) else {
            return;
        };
        if scan.order_keys() != 1 || !is_usearch_index(index) || asks_for_minimum(scan) {
            return;
        }
        let tuples = f64::from(index.class().rows());
        let passing = scan.plan().rows().max(1.0);
        // The index checks its own conditions: a search that reaches their bound has found all rows.
        let is_bounded = scan.conditions() > 0;
        let share = match self.filtered && !is_bounded && tuples > passing {
            true => passing / tuples,
            false => 1.0,
        };
        // As many as are enough five times out of six.
        let rows = ((self.rows + (self.rows * (1.0 - share)).sqrt()) / share).ceil();
        if rows > f64::from(MOST_ROWS) {
            return;
        }
        let rows = rows as u16;
        let demand = match self.filtered {
            true => Demand::Filtered(rows),
            false => Demand::Nearest(rows),
        };
        key.set_flags(key.flags() | demand.flags());
        if self.filtered {
            compat::after_each_row(scan, row_has_left);
        }
    }
}

/// True for a scan that PostgreSQL has planned for `min(distance)`: the first row that has one.
fn asks_for_minimum(scan: Node<'_, pg_sys::IndexScanState>) -> bool {
    let is_test = |condition: Node<'_>| {
        let test = condition.cast::<pg_sys::NullTest>().filter(|test| test.is_not_null());
        let argument = test.and_then(|test| test.argument());
        argument.is_some_and(|argument| argument.is::<pg_sys::OpExpr>())
    };
    scan.plan().conditions().iter().any(is_test)
}

/// A row has passed the conditions of a scan's node.
fn row_has_left(node: Node<'_, pg_sys::IndexScanState>) {
    if let Some(scan) = node.scan() {
        scan::row_has_left(scan);
    }
}
