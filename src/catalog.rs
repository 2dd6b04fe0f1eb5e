//! Functions of PostgreSQL that only look something up in the catalog: who may do what, and what functions, operators and
//! types are. They take plain values and run inside a transaction.

use std::ffi::{CStr, c_char};

use pgrx::pg_sys::{self, Datum, Oid};

use crate::nodes::functions;

functions! {
    /// The current user.
    pub fn current_user() -> Oid = GetUserId;
    /// Whether a role has the privileges of another one.
    pub fn has_privileges_of(member: Oid, role: Oid) -> bool = has_privs_of_role;
    /// Whether a role is a superuser.
    pub fn is_superuser(role: Oid) -> bool = superuser_arg;
    /// Whether a role has privileges on a relation, as an `AclResult`.
    pub fn check_privileges(relation: Oid, role: Oid, privileges: pg_sys::AclMode) -> u32 = pg_class_aclcheck;
    /// Whether row-level security applies to a role, or with 0 to the current user, on a relation, as a `CheckEnableRlsResult`.
    pub fn check_row_security(relation: Oid, role: Oid, raises_no_error: bool) -> i32 = check_enable_rls;

    /// The type that a function returns.
    pub fn result_type(function: Oid) -> Oid = get_func_rettype;
    /// Whether a function returns a set.
    pub fn returns_set(function: Oid) -> bool = get_func_retset;
    /// Whether a function is immutable, stable or volatile.
    pub fn volatility(function: Oid) -> c_char = func_volatile;
    /// The function of an operator.
    pub fn function_of_operator(operator: Oid) -> Oid = get_opcode;
    /// The operator of a family for these types and this strategy; 0 without one.
    pub fn operator_of_family(family: Oid, left: Oid, right: Oid, strategy: i16) -> Oid = get_opfamily_member;
    /// The family in whose order an operator's results are sorted; 0 without one.
    pub fn sort_family(operator: Oid, family: Oid) -> Oid = get_op_opfamily_sortfamily;
    /// The support function of a family for these types; 0 without one.
    pub fn support_function(family: Oid, left: Oid, right: Oid, number: i16) -> Oid = get_opfamily_proc;

    /// The length of a type's values in bytes; -1 for a varlena.
    pub fn type_length(of: Oid) -> i16 = get_typlen;
    /// The type that a domain is over; any other type itself.
    pub fn base_type(of: Oid) -> Oid = getBaseType;
}

/// The name of a type, for messages.
pub fn type_name(of: Oid) -> String {
    // SAFETY: looks up a type of the catalog; returns a C string in memory of its own, also when there is none.
    let name = unsafe { CStr::from_ptr(pg_sys::format_type_be(of)) };
    name.to_string_lossy().into_owned()
}

/// The function with this name and these argument types in a schema; 0 without one. Privileges are not checked.
pub fn function_named(name: &CStr, types: &[Oid], schema: Oid) -> Oid {
    // SAFETY: the name and the array of types, which is copied, outlive the call.
    unsafe {
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as i16,
            Datum::from(name.as_ptr()),
            Datum::from(pg_sys::buildoidvector(types.as_ptr(), types.len() as i32)),
            Datum::from(schema),
            Datum::from(0),
        )
    }
}
