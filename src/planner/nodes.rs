//! The planner's nodes, as far as they are read and changed here.

use pgrx::pg_sys::{self, Oid};

use crate::nodes::{Array, List, Node, Set, views};
use crate::relation::OpenRelation;

/// The planner of a query.
pub type Planner<'a> = Node<'a, pg_sys::PlannerInfo>;
/// A relation of a query that is being planned.
pub type Relation<'a> = Node<'a, pg_sys::RelOptInfo>;
/// An index that the planner knows.
pub type IndexInfo<'a> = Node<'a, pg_sys::IndexOptInfo>;

views! {
    PlannerInfo {
        query: Node<'a, pg_sys::Query> = |root| root.parse;
        /// The planner of the query around this one.
        outer: Option<Planner<'a>> = |root| root.parent_root;
        /// By number.
        relations: Array<'a, Option<Relation<'a>>> = |root| (root.simple_rel_array, root.simple_rel_array_size);
        /// By number.
        tables: Array<'a, Option<Node<'a, pg_sys::RangeTblEntry>>> =
            |root| (root.simple_rte_array, root.simple_rel_array_size);
        /// What is a partition, child or arm of UNION ALL, by number.
        children: Array<'a, Option<Node<'a, pg_sys::AppendRelInfo>>> =
            |root| (root.append_rel_array, root.simple_rel_array_size);
        base_relations: Set<'a> = |root| root.all_baserels;
        /// From LIMIT; negative without one.
        limit_rows: f64 = |root| root.limit_tuples;
        /// What the query wants: a share of the rows, from 1 on a number of them, 0 for all.
        wanted: f64 = |root| root.tuple_fraction;
    }
    Query {
        from: Option<Node<'a, pg_sys::FromExpr>> = |query| query.jointree;
        tables: List<'a, pg_sys::RangeTblEntry> = |query| query.rtable;
    }
    RangeTblEntry {
        is_relation: bool = |table| table.rtekind == pg_sys::RTEKind::RTE_RELATION;
        oid: Oid = |table| table.relid;
        /// Of row-level security and security barriers.
        security_quals: List<'a> = |table| table.securityQuals;
        is_barrier: bool = |table| table.security_barrier;
    }
    AppendRelInfo {
        parent: u32 = |child| child.parent_relid;
        /// The parent's columns, by the child's; 0 where it has none.
        parent_columns: Array<'a, i16> = |child| (child.parent_colnos, child.num_child_cols);
    }
    RelOptInfo {
        number: u32 = |relation| relation.relid;
        numbers: Set<'a> = |relation| relation.relids;
        indexes: List<'a, pg_sys::IndexOptInfo> = |relation| relation.indexlist;
        /// As whom the table is read.
        user: Oid = |relation| relation.userid;
    }
    IndexOptInfo {
        oid: Oid = |index| index.indexoid;
        relation: Relation<'a> = |index| index.rel;
        entries: f64 = |index| index.tuples;
        pages: u32 = |index| index.pages;
        is_hypothetical: bool = |index| index.hypothetical;
        /// Operator families, by column.
        families: Array<'a, Oid> = |index| (index.opfamily, index.nkeycolumns);
        /// Types that the operator classes are for, by column.
        types: Array<'a, Oid> = |index| (index.opcintype, index.nkeycolumns);
        /// The access method's estimator.
        estimator: *const () = |index| index.amcostestimate.map_or(std::ptr::null(), |estimator| estimator as *const ());
    }
    IndexPath {
        index: IndexInfo<'a> = |path| path.indexinfo;
        conditions: List<'a, pg_sys::IndexClause> = |path| path.indexclauses;
        order: List<'a> = |path| path.indexorderbys;
        rows: f64 = |path| path.path.rows;
    }
    RestrictInfo {
        clause: Node<'a> = |restriction| restriction.clause.cast();
    }
    FromExpr(T_FromExpr) {
        parts: List<'a> = |from| from.fromlist;
        conditions: Option<Node<'a>> = |from| from.quals;
        <- set_conditions: List<'a> = |from| from.quals;
    }
    JoinExpr(T_JoinExpr) {
        left: Option<Node<'a>> = |join| join.larg;
        right: Option<Node<'a>> = |join| join.rarg;
        conditions: Option<Node<'a>> = |join| join.quals;
        <- set_conditions: List<'a> = |join| join.quals;
    }
    BoolExpr(T_BoolExpr) {
        is_or: bool = |expression| expression.boolop == pg_sys::BoolExprType::OR_EXPR;
        is_and: bool = |expression| expression.boolop == pg_sys::BoolExprType::AND_EXPR;
        arguments: List<'a> = |expression| expression.args;
        <- set_arguments: List<'a> = |expression| expression.args;
    }
    OpExpr {
        operator: Oid = |operation| operation.opno;
        /// Its function; 0 before that is looked up.
        known_function: Oid = |operation| operation.opfuncid;
        arguments: List<'a> = |operation| operation.args;
    }
    Var(T_Var) {}
    FuncExpr(T_FuncExpr) {
        function: Oid = |call| call.funcid;
        arguments: List<'a> = |call| call.args;
    }
    SupportRequestSelectivity(T_SupportRequestSelectivity) {
        planner: Planner<'a> = |request| request.root;
        function: Oid = |request| request.funcid;
        arguments: List<'a> = |request| request.args;
        /// The number of the relation whose columns count as columns; 0 for all.
        relation: i32 = |request| request.varRelid;
        <- set_selectivity: f64 = |request| request.selectivity;
    }
    SupportRequestIndexCondition(T_SupportRequestIndexCondition) {
        planner: Planner<'a> = |request| request.root;
        function: Oid = |request| request.funcid;
        condition: Node<'a> = |request| request.node;
        /// Which argument the index's column is.
        column_argument: i32 = |request| request.indexarg;
        index: IndexInfo<'a> = |request| request.index;
        column: i32 = |request| request.indexcol;
        family: Oid = |request| request.opfamily;
        <- set_lossy: bool = |request| request.lossy;
    }
    SupportRequestSimplify(T_SupportRequestSimplify) {
        planner: Option<Planner<'a>> = |request| request.root;
        call: Node<'a, pg_sys::FuncExpr> = |request| request.fcall;
    }
}

impl<'a> IndexInfo<'a> {
    /// The index, open.
    pub fn open(self) -> OpenRelation {
        // SAFETY: the planner has locked each index that it knows, for as long as it plans.
        unsafe { OpenRelation::open_locked(self.oid()) }
    }
}
