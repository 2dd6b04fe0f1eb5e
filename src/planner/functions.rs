//! PostgreSQL's functions about expressions and the catalog, and new expressions.

use std::ffi::CStr;

use iscc_metrics::{DenseMetric, Metric};
use pgrx::pg_sys::{self, Datum, Oid};

use super::nodes::{IndexInfo, Planner};
use crate::catalog;
pub use crate::catalog::{function_of_operator, operator_of_family, result_type, support_function};
use crate::metrics::opclass::{address_of, metric_of_address};
use crate::nodes::{List, Node, Set, functions};
use crate::types::vector::metric_of_array_distance;

functions! {
    /// The type of an expression.
    pub fn type_of(node: Node<'_>) -> Oid = exprType;
    /// The relations whose columns are in an expression.
    pub fn relations_in<'a>(planner: Planner<'a>, node: Node<'a>) -> Set<'a> = pull_varnos;
    /// Whether columns of this query are in an expression.
    pub fn has_columns(node: Node<'_>) -> bool = contain_var_clause;
    /// Adds the columns of a relation that are in an expression to a set, each number minus
    /// `FirstLowInvalidHeapAttributeNumber`.
    pub fn add_columns(node: Node<'_>, relation: u32, columns: &mut Set<'_>) = pull_varattnos;
    /// Whether a volatile function is in an expression.
    pub fn is_volatile(node: Node<'_>) -> bool = contain_volatile_functions;
    /// Whether a subquery is in an expression.
    pub fn has_subqueries(node: Node<'_>) -> bool = contain_subplans;
    /// Whether an expression is what a column of an index holds.
    pub fn is_index_column(node: Node<'_>, column: i32, index: IndexInfo<'_>) -> bool = match_index_to_operand;
    /// Whether an expression is known when a scan of an index starts.
    pub fn is_known_to_scan(planner: Planner<'_>, node: Node<'_>, index: IndexInfo<'_>) -> bool =
        is_pseudo_constant_for_index;
    /// An expression with what is constant in it computed.
    pub fn simplified<'a>(planner: Option<Planner<'a>>, node: Node<'a>) -> Node<'a> = eval_const_expressions;
    /// The same, with what is likely to be constant when the query runs.
    pub fn estimated<'a>(planner: Planner<'a>, node: Node<'a>) -> Node<'a> = estimate_expression_value;

    /// Whether two sets have a common member.
    pub fn overlap(a: Set<'_>, b: Set<'_>) -> bool = bms_overlap;
    /// Whether two sets have the same members.
    pub fn are_equal(a: Set<'_>, b: Set<'_>) -> bool = bms_equal;

    /// Whether a function tells nothing of its arguments but its result.
    pub fn is_leakproof(function: Oid) -> bool = get_func_leakproof;
    fn namespace_of(function: Oid) -> Oid = get_func_namespace;

    fn new_call<'a>(
        function: Oid,
        result: Oid,
        arguments: List<'a>,
        collation: Oid,
        input_collation: Oid,
        form: pg_sys::CoercionForm::Type,
    ) -> Node<'a, pg_sys::FuncExpr> = makeFuncExpr;
    fn new_operation<'a>(
        operator: Oid,
        result: Oid,
        returns_set: bool,
        left: Node<'a>,
        right: Node<'a>,
        collation: Oid,
        input_collation: Oid,
    ) -> Node<'a, pg_sys::Expr> = make_opclause;
    fn new_variable<'a>(
        relation: i32,
        column: i16,
        type_oid: Oid,
        type_modifier: i32,
        collation: Oid,
        levels_up: u32,
    ) -> Node<'a, pg_sys::Var> = makeVar;
    fn new_and<'a>(arms: List<'a>) -> Node<'a, pg_sys::Expr> = make_andclause;
    fn new_constant<'a>(
        type_oid: Oid,
        type_modifier: i32,
        collation: Oid,
        length: i32,
        value: Datum,
        is_null: bool,
        by_value: bool,
    ) -> Node<'a, pg_sys::Const> = makeConst;
}

/// A call of a function, which takes these arguments and returns this type.
pub fn function_call<'a>(function: Oid, result: Oid, arguments: List<'a>) -> Node<'a> {
    let (none, form) = (pg_sys::InvalidOid, pg_sys::CoercionForm::COERCE_EXPLICIT_CALL);
    new_call(function, result, arguments, none, none, form).untyped()
}

/// `left operator right`, a condition.
pub fn condition<'a>(operator: Oid, left: Node<'a>, right: Node<'a>) -> Node<'a> {
    let none = pg_sys::InvalidOid;
    new_operation(operator, pg_sys::BOOLOID, false, left, right, none, none).untyped()
}

/// `left operator right`, which returns float8.
pub fn operation<'a>(operator: Oid, left: Node<'a>, right: Node<'a>, input_collation: Oid) -> Node<'a> {
    let none = pg_sys::InvalidOid;
    new_operation(operator, pg_sys::FLOAT8OID, false, left, right, none, input_collation).untyped()
}

/// A column of a query's first table.
pub fn variable<'a>(column: i16, type_oid: Oid, collation: Oid) -> Node<'a> {
    new_variable(1, column, type_oid, -1, collation, 0).untyped()
}

/// `left AND right`.
pub fn both<'a>(left: Node<'a>, right: Node<'a>) -> Node<'a> {
    new_and(List::of(&[left, right])).untyped()
}

/// `constant - node`, where the node is of type float8 like the result.
pub fn subtracted_from<'a>(constant: f64, node: Node<'a>) -> Node<'a> {
    let value = Datum::from(constant.to_bits());
    let constant = new_constant(pg_sys::FLOAT8OID, -1, pg_sys::InvalidOid, 8, value, false, true);
    let minus = Oid::from(pg_sys::F_FLOAT8MI);
    let arguments = List::of(&[constant.untyped(), node]);
    simplified(None, function_call(minus, pg_sys::FLOAT8OID, arguments))
}

/// An expression of type float8 or float4, as float8.
pub fn as_float8(node: Node<'_>) -> Node<'_> {
    if type_of(node) != pg_sys::FLOAT4OID {
        return node;
    }
    let cast = Oid::from(pg_sys::F_FLOAT8_FLOAT4);
    simplified(None, function_call(cast, pg_sys::FLOAT8OID, List::of(&[node])))
}

/// The function and the two arguments of an operator or a call.
pub fn call_of_two<'a>(node: Node<'a>) -> Option<(Oid, [Node<'a>; 2])> {
    if let Some(operation) = node.cast::<pg_sys::OpExpr>() {
        let function = match operation.known_function() {
            pg_sys::InvalidOid => function_of_operator(operation.operator()),
            function => function,
        };
        Some((function, operation.arguments().array()?))
    } else {
        let call = node.cast::<pg_sys::FuncExpr>()?;
        Some((call.function(), call.arguments().array()?))
    }
}

/// The metric of a function that is one of our distances. Its declaration is checked first, so that no library is
/// loaded for others.
pub fn metric_of_distance(function: Oid) -> Option<Metric> {
    if result_type(function) != pg_sys::FLOAT8OID || function.to_u32() < pg_sys::FirstNormalObjectId {
        return None;
    }
    let address = address_of(function);
    metric_of_address(address).or_else(|| metric_of_array_distance(address).map(DenseMetric::metric))
}

/// The function of this extension with this name and these types, in the schema of another of its functions. Another
/// user who may create functions there could have taken the name in an extension that is not updated yet: `is_ours`
/// checks the function's code.
///
/// Privileges are not checked: using a function that is already parsed needs none on its schema.
pub fn function_beside(other: Oid, name: &CStr, types: &[Oid], is_ours: fn(pg_sys::PGFunction) -> bool) -> Option<Oid> {
    let function = catalog::function_named(name, types, namespace_of(other));
    (function != pg_sys::InvalidOid && is_ours(address_of(function))).then_some(function)
}
