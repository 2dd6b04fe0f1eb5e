//! Comparisons of a distance, such as `code <~> query < 0.1` or `1 - (code <~> query) > 0.9`, as conditions of an index.
//!
//! PostgreSQL has no way to ask an access method about an operator of `float8`. So before the planner distributes the
//! conditions of a statement, `nphd_near(code, query, radius)` is put beside each such comparison. It follows from the
//! comparison, so no answer changes; the comparison stays and decides about each row. The planner support function makes
//! it a condition of the index.

use iscc_metrics::Metric;
use pgrx::pg_sys::{self, Node, NodeTag};
use pgrx::{PgList, is_a};

use super::ball_expr::{arguments, function_beside, function_call, list_of};
use super::is_usearch_info;
use crate::compat;
use crate::metrics::opclass::{address_of, metric_of_address};
use crate::types::ball;

/// One and its distance to the next number: a bit more than one, so that what is subtracted from it and rounded is not
/// less than what is subtracted from one.
const BIT_MORE_THAN_ONE: f64 = 1.0 + f64::EPSILON;

/// Has the conditions of each statement looked at; called when the library is loaded.
pub fn register() {
    compat::on_relation_info(add_conditions);
}

/// Puts a condition of the index beside each comparison of a distance from a column of this relation.
unsafe fn add_conditions(root: *mut pg_sys::PlannerInfo, is_parent: bool, relation: *mut pg_sys::RelOptInfo) {
    // SAFETY: the planner's own structures, while it looks up what relations have.
    unsafe {
        let jointree = (*(*root).parse).jointree;
        let is_served = is_parent || {
            let indexes = PgList::<pg_sys::IndexOptInfo>::from_pg((*relation).indexlist);
            indexes.iter_ptr().any(|info| is_usearch_info(&*info))
        };
        if is_served && !jointree.is_null() {
            let table = Table {
                root,
                relation,
                is_parent,
            };
            table.visit(jointree.cast());
        }
    }
}

/// A relation of a statement that is being planned.
struct Table {
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    /// Of partitions or children, whose indexes are not known yet.
    is_parent: bool,
}

impl Table {
    /// Visits the conditions of a part of FROM.
    unsafe fn visit(&self, node: *mut Node) {
        // SAFETY: a join tree whose conditions have been prepared: they are lists.
        unsafe {
            if is_a(node, NodeTag::T_FromExpr) {
                let from = &mut *node.cast::<pg_sys::FromExpr>();
                from.quals = self.with_conditions(from.quals.cast()).cast();
                let parts = PgList::<Node>::from_pg(from.fromlist);
                parts.iter_ptr().for_each(|part| self.visit(part));
            } else if is_a(node, NodeTag::T_JoinExpr) {
                let join = &mut *node.cast::<pg_sys::JoinExpr>();
                join.quals = self.with_conditions(join.quals.cast()).cast();
                self.visit(join.larg);
                self.visit(join.rarg);
            }
        }
    }

    /// A list of conditions that all hold, with what follows from them.
    unsafe fn with_conditions(&self, list: *mut pg_sys::List) -> *mut pg_sys::List {
        // SAFETY: a list of expressions, or NULL.
        unsafe {
            if list.is_null() || !is_a(list.cast(), NodeTag::T_List) {
                return list;
            }
            let clauses: Vec<*mut Node> = PgList::from_pg(list).iter_ptr().collect();
            let mut list = list;
            for clause in clauses {
                if let Some(condition) = self.condition(clause)
                    && !pg_sys::list_member(list, condition.cast())
                {
                    list = pg_sys::lappend(list, condition.cast());
                }
                if pg_sys::is_orclause(clause.cast()) {
                    self.visit_arms((*clause.cast::<pg_sys::BoolExpr>()).args);
                }
            }
            list
        }
    }

    /// Does the same for each arm of an OR.
    unsafe fn visit_arms(&self, arms: *mut pg_sys::List) {
        // SAFETY: a list of expressions; its cells are its own.
        unsafe {
            for cell in std::slice::from_raw_parts_mut((*arms).elements, (*arms).length as usize) {
                let arm = cell.ptr_value.cast::<Node>();
                if pg_sys::is_andclause(arm.cast()) {
                    let and = &mut *arm.cast::<pg_sys::BoolExpr>();
                    and.args = self.with_conditions(and.args);
                } else if let Some(condition) = self.condition(arm) {
                    let both = list_of(&[condition, arm]);
                    cell.ptr_value = pg_sys::make_andclause(both).cast();
                }
            }
        }
    }

    /// The condition that follows from a comparison of a distance; None if the clause is none, or no index serves it.
    unsafe fn condition(&self, clause: *mut Node) -> Option<*mut Node> {
        // SAFETY: an expression of the statement.
        unsafe {
            let (distance, radius) = upper_bound(clause)?;
            let (function, [first, second]) = call(distance)?;
            let is_column = self.is_column(first) || self.is_column(second);
            let own = (*self.relation).relids;
            let is_fixed = !pg_sys::bms_overlap(pg_sys::pull_varnos(self.root, radius), own)
                && !pg_sys::contain_volatile_functions(clause)
                && !pg_sys::contain_subplans(clause);
            if !is_column || !is_fixed {
                return None;
            }
            let code_type = parameter_type(function)?;
            let types = [code_type, code_type, pg_sys::FLOAT8OID];
            // It has the code of that one.
            let near = function_beside(function, c"nphd_near", &types, ball::is_within_unchecked)?;
            let parts = [first, second, radius].map(|part| pg_sys::copyObjectImpl(part.cast()).cast());
            Some(function_call(near, pg_sys::BOOLOID, &parts))
        }
    }

    /// Whether an expression is a column of this relation that an index may have.
    unsafe fn is_column(&self, node: *mut Node) -> bool {
        // SAFETY: an expression of the statement.
        unsafe {
            if self.is_parent {
                let relids = pg_sys::pull_varnos(self.root, node);
                return !relids.is_null() && pg_sys::bms_equal(relids, (*self.relation).relids);
            }
            let indexes = PgList::<pg_sys::IndexOptInfo>::from_pg((*self.relation).indexlist);
            let has = |info: *mut pg_sys::IndexOptInfo| {
                is_usearch_info(&*info) && pg_sys::match_index_to_operand(node, 0, info)
            };
            indexes.iter_ptr().any(has)
        }
    }
}

/// A distance, and an expression of type float8 that it is not greater than where the comparison holds.
unsafe fn upper_bound(clause: *mut Node) -> Option<(*mut Node, *mut Node)> {
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
    // SAFETY: an expression.
    unsafe {
        if !is_a(clause, NodeTag::T_OpExpr) {
            return None;
        }
        let (function, [left, right]) = call(clause)?;
        let function = function.to_u32();
        let (less, greater) = if LESS.contains(&function) {
            (left, right)
        } else if GREATER.contains(&function) {
            (right, left)
        } else {
            return None;
        };
        // distance < radius
        if call(less).is_some_and(|(function, _)| is_distance(function)) {
            return Some((less, as_float8(greater)));
        }
        // similarity < 1 - distance
        let (minus, [one, distance]) = call(greater)?;
        if minus.to_u32() != pg_sys::F_FLOAT8MI || !is_one(one) || !is_distance(call(distance)?.0) {
            return None;
        }
        let parts = [float8_constant(BIT_MORE_THAN_ONE), as_float8(less)];
        let radius = function_call(pg_sys::Oid::from(pg_sys::F_FLOAT8MI), pg_sys::FLOAT8OID, &parts);
        Some((distance, pg_sys::eval_const_expressions(std::ptr::null_mut(), radius)))
    }
}

/// The function and the two arguments of an operator or a call.
unsafe fn call(node: *mut Node) -> Option<(pg_sys::Oid, [*mut Node; 2])> {
    // SAFETY: an expression; an operator's function is looked up if it is not known yet.
    unsafe {
        if is_a(node, NodeTag::T_OpExpr) {
            let operation = &*node.cast::<pg_sys::OpExpr>();
            let function = match operation.opfuncid {
                pg_sys::InvalidOid => pg_sys::get_opcode(operation.opno),
                function => function,
            };
            Some((function, arguments(operation.args)?))
        } else if is_a(node, NodeTag::T_FuncExpr) {
            let call = &*node.cast::<pg_sys::FuncExpr>();
            Some((call.funcid, arguments(call.args)?))
        } else {
            None
        }
    }
}

/// Whether a function is the distance that balls are of. Its declaration is looked at first: its library need not be loaded.
unsafe fn is_distance(function: pg_sys::Oid) -> bool {
    // SAFETY: the function exists.
    unsafe {
        pg_sys::get_func_rettype(function) == pg_sys::FLOAT8OID
            && function.to_u32() >= pg_sys::FirstNormalObjectId
            && metric_of_address(address_of(function)) == Some(Metric::Nphd)
    }
}

/// The type of a distance's arguments.
unsafe fn parameter_type(function: pg_sys::Oid) -> Option<pg_sys::Oid> {
    let mut types = std::ptr::null_mut();
    let mut count = 0;
    // SAFETY: the function exists; `types` has `count` elements.
    unsafe {
        pg_sys::get_func_signature(function, &mut types, &mut count);
        (count == 2).then(|| *types)
    }
}

unsafe fn is_one(node: *mut Node) -> bool {
    // SAFETY: an expression; a constant of type float8 is its own value.
    unsafe {
        is_a(node, NodeTag::T_Const) && {
            let constant = &*node.cast::<pg_sys::Const>();
            constant.consttype == pg_sys::FLOAT8OID
                && !constant.constisnull
                && f64::from_bits(constant.constvalue.value() as u64) == 1.0
        }
    }
}

unsafe fn as_float8(node: *mut Node) -> *mut Node {
    // SAFETY: an expression of type float8 or float4.
    unsafe {
        if pg_sys::exprType(node) != pg_sys::FLOAT4OID {
            return node;
        }
        let cast = pg_sys::Oid::from(pg_sys::F_FLOAT8_FLOAT4);
        let cast = function_call(cast, pg_sys::FLOAT8OID, &[node]);
        pg_sys::eval_const_expressions(std::ptr::null_mut(), cast)
    }
}

unsafe fn float8_constant(value: f64) -> *mut Node {
    // SAFETY: a new node; float8 is passed by value.
    unsafe {
        let value = pg_sys::Datum::from(value.to_bits());
        pg_sys::makeConst(pg_sys::FLOAT8OID, -1, pg_sys::InvalidOid, 8, value, false, true).cast()
    }
}
