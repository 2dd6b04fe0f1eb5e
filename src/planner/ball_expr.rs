//! Balls in expressions, as far as they are known while planning.

use pgrx::pg_sys::{self, Datum};

use super::functions::{call_of_two, estimated};
use super::nodes::Planner;
use crate::metrics::opclass::address_of;
use crate::nodes::{Node, Value};
use crate::types::ball;
use crate::types::bitvec::varlena_bytes;

/// A code in an expression.
pub enum Code<'a> {
    /// Its bytes, known while planning.
    Known(&'a [u8]),
    /// A column, or what is known only later.
    Expression(Node<'a>),
}

impl<'a> Code<'a> {
    /// The code that an expression of type bitvec stands for; None for NULL.
    pub fn of(planner: Planner<'a>, node: Node<'a>) -> Option<Self> {
        match bytes_of(planner, node) {
            Value::Known(bytes) => Some(Code::Known(bytes)),
            Value::Null => None,
            Value::Unknown => Some(Code::Expression(node)),
        }
    }
}

/// A code and a radius in an expression.
pub struct BallExpr<'a> {
    /// The code.
    pub code: Code<'a>,
    /// The radius; None if it is known only later.
    pub radius: Option<f64>,
}

impl<'a> BallExpr<'a> {
    /// The ball of a code, an expression of type bitvec, and a radius of type float8; None if one of them is NULL.
    pub fn of_parts(planner: Planner<'a>, code: Node<'a>, radius: Node<'a>) -> Option<Self> {
        let radius = match value_of(planner, radius) {
            Value::Known(radius) => Some(f64::from_bits(radius.value() as u64)),
            Value::Null => return None,
            Value::Unknown => None,
        };
        let code = Code::of(planner, code)?;
        Some(BallExpr { code, radius })
    }

    /// The ball of `hamming_ball(code, bits)`, expressions of type bitvec and integer; None if one of them is NULL.
    pub fn of_bits(planner: Planner<'a>, code: Node<'a>, bits: Node<'a>) -> Option<Self> {
        let bits = value_of(planner, bits);
        if let Value::Null = bits {
            return None;
        }
        let code = Code::of(planner, code)?;
        let radius = match (&code, bits) {
            (Code::Known(code), Value::Known(bits)) => Some(ball::hamming_radius(bits.value() as i32, code.len())),
            _ => None,
        };
        Some(BallExpr { code, radius })
    }

    /// The ball that an expression of type bitvec_ball stands for; None for NULL.
    pub fn of(planner: Planner<'a>, node: Node<'a>) -> Option<Self> {
        match bytes_of(planner, node) {
            Value::Known(bytes) => {
                let (radius, code) = ball::parts(bytes);
                let (code, radius) = (Code::Known(code), Some(radius));
                Some(BallExpr { code, radius })
            }
            Value::Null => None,
            Value::Unknown => Self::of_constructor(planner, node),
        }
    }

    /// The ball that a call of a constructor makes. The constructors have two arguments, of the types that these
    /// functions take.
    fn of_constructor(planner: Planner<'a>, node: Node<'a>) -> Option<Self> {
        if node.is::<pg_sys::FuncExpr>()
            && let Some((function, [code, size])) = call_of_two(node)
        {
            let function = address_of(function);
            if ball::is_constructor(function) {
                return Self::of_parts(planner, code, size);
            }
            if ball::is_hamming_ball(function) {
                return Self::of_bits(planner, code, size);
            }
        }
        let (code, radius) = (Code::Expression(node), None);
        Some(BallExpr { code, radius })
    }
}

/// The value of an expression, as far as it can be known while planning.
pub fn value_of<'a>(planner: Planner<'a>, node: Node<'a>) -> Value<Datum> {
    match estimated(planner, node).cast::<pg_sys::Const>() {
        Some(constant) => constant.value(),
        None => Value::Unknown,
    }
}

/// The payload of an expression of a varlena type, as far as it can be known while planning.
fn bytes_of<'a>(planner: Planner<'a>, node: Node<'a>) -> Value<&'a [u8]> {
    match estimated(planner, node).cast::<pg_sys::Const>() {
        // SAFETY: the constant is a varlena, which lives as long as its node does; so does the current memory context,
        // the planner's.
        Some(constant) if constant.is_varlena() => constant.value().map(|datum| unsafe { varlena_bytes(datum) }),
        _ => Value::Unknown,
    }
}
