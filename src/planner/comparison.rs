//! Comparisons of a distance, such as `code <~> query < 0.1` or `1 - (code <~> query) > 0.9`, as conditions of an
//! index.
//!
//! PostgreSQL has no way to ask an access method about an operator of `float8`. So before the planner distributes the
//! conditions of a statement, `nphd_near(code, query, radius)` is added beside each such comparison, or `l2_near` and
//! the like for vectors. It follows from the
//! comparison, so no answer changes; the comparison stays and decides about each row. The planner support function
//! makes it a condition of the index.

use iscc_metrics::Metric;
use pgrx::pg_sys::{self, Oid};

use super::functions::{
    are_equal, as_float8, both, call_of_two, function_beside, function_call, has_subqueries, is_index_column,
    is_volatile, metric_of_distance, overlap, relations_in, subtracted_from, type_of,
};
use super::is_usearch_info;
use super::nodes::{Planner, Relation};
use super::vector_support::{near_function, near_function_of_arrays};
use crate::compat;
use crate::nodes::{List, Node, Value};
use crate::types::ball;

/// One plus the distance to the next number: subtracting from this and rounding never gives less than subtracting from
/// one.
const BIT_MORE_THAN_ONE: f64 = 1.0 + f64::EPSILON;

/// Has the conditions of each statement examined; called when the library is loaded.
pub fn register() {
    compat::on_relation_info(add_conditions);
}

/// Adds a condition of the index beside each comparison of a distance from a column of this relation.
fn add_conditions(planner: Planner<'_>, is_parent: bool, relation: Relation<'_>) {
    let is_served = is_parent || relation.indexes().iter().any(is_usearch_info);
    if is_served && let Some(from) = planner.query().from() {
        let table = Table {
            planner,
            relation,
            is_parent,
        };
        table.visit(from.untyped());
    }
}

/// A relation of a statement that is being planned.
struct Table<'a> {
    planner: Planner<'a>,
    relation: Relation<'a>,
    /// It has partitions or children, whose indexes are not known yet.
    is_parent: bool,
}

impl<'a> Table<'a> {
    /// Visits the conditions of a part of FROM. They have been prepared: each is a list.
    fn visit(&self, node: Node<'a>) {
        if let Some(from) = node.cast::<pg_sys::FromExpr>() {
            if let Some(conditions) = from.conditions().and_then(Node::as_list) {
                from.set_conditions(self.with_conditions(conditions));
            }
            from.parts().iter().for_each(|part| self.visit(part));
        } else if let Some(join) = node.cast::<pg_sys::JoinExpr>() {
            if let Some(conditions) = join.conditions().and_then(Node::as_list) {
                join.set_conditions(self.with_conditions(conditions));
            }
            let sides = [join.left(), join.right()];
            sides.into_iter().flatten().for_each(|side| self.visit(side));
        }
    }

    /// A list of conditions that all hold, with what follows from them.
    fn with_conditions(&self, clauses: List<'a>) -> List<'a> {
        let mut list = clauses;
        for clause in clauses.iter() {
            if let Some(condition) = self.condition(clause)
                && !list.contains(condition)
            {
                list = list.with(condition);
            }
            if let Some(or) = clause.cast::<pg_sys::BoolExpr>()
                && or.is_or()
            {
                self.visit_arms(or);
            }
        }
        list
    }

    /// Does the same for each arm of an OR.
    fn visit_arms(&self, or: Node<'a, pg_sys::BoolExpr>) {
        let arms: Vec<Node<'a>> = or.arguments().iter().collect();
        let extended: Vec<Node<'a>> = arms.iter().map(|&arm| self.with_condition(arm)).collect();
        if extended != arms {
            or.set_arguments(List::of(&extended));
        }
    }

    /// An arm of an OR with what follows from it.
    fn with_condition(&self, arm: Node<'a>) -> Node<'a> {
        if let Some(and) = arm.cast::<pg_sys::BoolExpr>()
            && and.is_and()
        {
            and.set_arguments(self.with_conditions(and.arguments()));
            return arm;
        }
        self.condition(arm).map_or(arm, |condition| both(condition, arm))
    }

    /// The condition that follows from a comparison of a distance; None if the clause is none, or no index serves it.
    fn condition(&self, clause: Node<'a>) -> Option<Node<'a>> {
        let (near, [first, second], radius) = self.upper_bound(clause)?;
        let depends_on_row = overlap(relations_in(self.planner, radius), self.relation.numbers());
        if depends_on_row || is_volatile(clause) || has_subqueries(clause) {
            return None;
        }
        let arguments = List::of(&[first, second, radius]).copied();
        Some(function_call(near, pg_sys::BOOLOID, arguments))
    }

    /// For a comparison that a distance does not exceed a number where it holds: the function that says so, the
    /// distance's arguments, and the number, an expression of type float8.
    fn upper_bound(&self, clause: Node<'a>) -> Option<(Oid, [Node<'a>; 2], Node<'a>)> {
        let (less, greater) = comparison(clause)?;
        // distance < radius
        if let Some((near, _, arguments)) = self.near_of(less) {
            return Some((near, arguments, as_float8(greater)));
        }
        // similarity < 1 - distance
        let (minus, [one, distance]) = call_of_two(greater)?;
        if minus.to_u32() != pg_sys::F_FLOAT8MI || !is_one(one) {
            return None;
        }
        let (near, metric, arguments) = self.near_of(distance)?;
        // Of greater distances than these the subtraction may lose more than is added to one.
        let is_small = matches!(metric, Metric::Nphd | Metric::Cosine | Metric::Pearson);
        is_small.then(|| (near, arguments, subtracted_from(BIT_MORE_THAN_ONE, as_float8(less))))
    }

    /// For a distance from a column of this relation that an index serves: the function that says whether it is at most
    /// a radius, the metric, and the distance's arguments.
    fn near_of(&self, distance: Node<'a>) -> Option<(Oid, Metric, [Node<'a>; 2])> {
        let (function, arguments) = call_of_two(distance)?;
        let [first, second] = arguments;
        if !self.is_column(first) && !self.is_column(second) {
            return None;
        }
        let metric = metric_of_distance(function);
        let (near, metric) = match metric {
            Some(Metric::Nphd) => {
                let code = type_of(first);
                let types = [code, code, pg_sys::FLOAT8OID];
                // Its code is the same as that of `nphd_within_unchecked`.
                let near = function_beside(function, c"nphd_near", &types, ball::is_within_unchecked)?;
                (near, Metric::Nphd)
            }
            _ => match metric.and_then(Metric::dense).filter(|_| self.is_parent) {
                Some(of_arrays) => (near_function_of_arrays(function, of_arrays)?, of_arrays.metric()),
                None => near_function(function, arguments, self.relation.indexes().iter())?,
            },
        };
        Some((near, metric, arguments))
    }

    /// Whether an expression is a column of this relation that an index may have.
    fn is_column(&self, node: Node<'a>) -> bool {
        if self.is_parent {
            return are_equal(relations_in(self.planner, node), self.relation.numbers());
        }
        let mut indexes = self.relation.indexes().iter();
        indexes.any(|index| is_usearch_info(index) && is_index_column(node, 0, index))
    }
}

/// The operands of a comparison of two numbers, the one that is less, or equal, first.
fn comparison(clause: Node<'_>) -> Option<(Node<'_>, Node<'_>)> {
    const LESS: [u32; 6] = [
        pg_sys::F_FLOAT8LT,
        pg_sys::F_FLOAT8LE,
        pg_sys::F_FLOAT84LT,
        pg_sys::F_FLOAT84LE,
        pg_sys::F_FLOAT48LT,
        pg_sys::F_FLOAT48LE,
    ];
    const GREATER: [u32; 6] = [
        pg_sys::F_FLOAT8GT,
        pg_sys::F_FLOAT8GE,
        pg_sys::F_FLOAT84GT,
        pg_sys::F_FLOAT84GE,
        pg_sys::F_FLOAT48GT,
        pg_sys::F_FLOAT48GE,
    ];
    if !clause.is::<pg_sys::OpExpr>() {
        return None;
    }
    let (function, [left, right]) = call_of_two(clause)?;
    let function = function.to_u32();
    if LESS.contains(&function) {
        Some((left, right))
    } else if GREATER.contains(&function) {
        Some((right, left))
    } else {
        None
    }
}

/// Whether an expression is the float8 1.
fn is_one(node: Node<'_>) -> bool {
    node.cast::<pg_sys::Const>().is_some_and(|constant| {
        let is_float8 = constant.type_oid() == pg_sys::FLOAT8OID;
        let value = constant.value();
        is_float8 && matches!(value, Value::Known(one) if f64::from_bits(one.value() as u64) == 1.0)
    })
}
