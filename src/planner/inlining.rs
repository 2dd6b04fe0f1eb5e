//! Operators that are gone when a query is planned.

use pgrx::pg_sys::{self, Oid};

use super::functions::{operation, simplified, variable};

/// Whether the planner replaces an operator between two values of a type by the body of its function, as it does with
/// simple functions in SQL. Raises an error if the body cannot be parsed.
pub fn is_inlined(operator: Oid, input: Oid, collation: Oid) -> bool {
    let [left, right] = [1, 2].map(|column| variable(column, input, collation));
    let planned = simplified(None, operation(operator, left, right, collation));
    !planned
        .cast::<pg_sys::OpExpr>()
        .is_some_and(|operation| operation.operator() == operator)
}
