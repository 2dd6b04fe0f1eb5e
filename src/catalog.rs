//! Functions of PostgreSQL that only look something up in the catalog: who may do what, and what functions, operators
//! and types are. They take plain values and run inside a transaction.

use std::ffi::{CStr, CString, c_char};

use pgrx::pg_sys::{self, Datum, Oid};

use crate::nodes::functions;

functions! {
    /// The current user.
    pub fn current_user() -> Oid = GetUserId;
    /// Whether a role has the privileges of another role.
    pub fn has_privileges_of(member: Oid, role: Oid) -> bool = has_privs_of_role;
    /// Whether a role is a superuser.
    pub fn is_superuser(role: Oid) -> bool = superuser_arg;
    /// Whether a role has privileges on a relation, as an `AclResult`.
    pub fn check_privileges(relation: Oid, role: Oid, privileges: pg_sys::AclMode) -> u32 = pg_class_aclcheck;
    /// Whether row-level security applies to a role, or with 0 to the current user, on a relation, as a
    /// `CheckEnableRlsResult`.
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
    /// Whether a Datum is a type's value, rather than a pointer to it.
    pub fn is_passed_by_value(of: Oid) -> bool = get_typbyval;
    /// Whether a type is a base type, composite type, domain and so on; 0 without such a type.
    pub fn type_kind(of: Oid) -> c_char = get_typtype;
    /// The type that a domain is over; any other type itself.
    pub fn base_type(of: Oid) -> Oid = getBaseType;

    /// Looks up what is needed to call a function; what it keeps for its calls is in the current memory context. An
    /// error without such a function.
    pub fn look_up_function(function: Oid, info: &mut pg_sys::FmgrInfo) = fmgr_info;
    /// The table of an index; for anything else an error, or 0 if `may_be_missing`.
    pub fn table_of_index(index: Oid, may_be_missing: bool) -> Oid = IndexGetRelation;

    fn format_type(of: Oid) -> CString = format_type_be;
    fn format_function(function: Oid) -> CString = format_procedure_qualified;
    /// A string as SQL writes it, in quotes.
    pub fn quoted(text: &CStr) -> CString = quote_literal_cstr;
}

/// The name of a type, for messages.
pub fn type_name(of: Oid) -> String {
    format_type(of).to_string_lossy().into_owned()
}

/// A function with its schema and the types of its arguments, for messages.
pub fn function_name(function: Oid) -> String {
    format_function(function).to_string_lossy().into_owned()
}

/// The types of a function's arguments and of its result. An error without such a function.
pub fn signature(function: Oid) -> (Vec<Oid>, Oid) {
    let (mut types, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: looks up a function of the catalog; the array, in memory of its own, has as many types.
    unsafe {
        let result = pg_sys::get_func_signature(function, &mut types, &mut count);
        let types = std::slice::from_raw_parts(types, count.max(0) as usize);
        (types.to_vec(), result)
    }
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
