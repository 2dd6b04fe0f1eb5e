//! The executor's nodes, as far as they are read and changed here.

use pgrx::pg_sys;

use crate::nodes::{Array, List, Node, views};
use crate::relation::Index;

/// A node of a plan that has been started.
pub type PlanState<'a> = Node<'a, pg_sys::PlanState>;
/// The members of an Append or MergeAppend.
pub type Members<'a> = Array<'a, Option<PlanState<'a>>>;

views! {
    PlanState {
        plan: Node<'a, pg_sys::Plan> = |node| node.plan;
        /// What a row of the node must meet.
        condition: Option<Node<'a, pg_sys::ExprState>> = |node| node.qual;
        /// The node below; of a join, the outer side.
        left: Option<PlanState<'a>> = |node| node.lefttree;
        right: Option<PlanState<'a>> = |node| node.righttree;
        initial_plans: List<'a, pg_sys::SubPlanState> = |node| node.initPlan;
        subplans: List<'a, pg_sys::SubPlanState> = |node| node.subPlan;
    }
    Plan {
        rows: f64 = |plan| plan.plan_rows;
        conditions: List<'a> = |plan| plan.qual;
    }
    SubPlanState {
        top: Option<PlanState<'a>> = |subplan| subplan.planstate;
    }
    SubqueryScanState(T_SubqueryScanState) {
        top: Option<PlanState<'a>> = |scan| scan.subplan;
    }
    CustomScanState(T_CustomScanState) {
        members: List<'a, pg_sys::PlanState> = |scan| scan.custom_ps;
    }
    AppendState(T_AppendState) {
        members: Members<'a> = |append| (append.appendplans, append.as_nplans);
    }
    MergeAppendState(T_MergeAppendState) {
        members: Members<'a> = |append| (append.mergeplans, append.ms_nplans);
    }
    NestLoopState(T_NestLoopState) {}
    LimitState(T_LimitState) {
        counts_rows: bool = |limit| limit.limitOption == pg_sys::LimitOption::LIMIT_OPTION_COUNT;
        plan: Node<'a, pg_sys::Limit> = |limit| limit.ps.plan.cast();
        query: Node<'a, pg_sys::EState> = |limit| limit.ps.state;
    }
    Limit {
        count: Option<Node<'a>> = |limit| limit.limitCount;
        offset: Option<Node<'a>> = |limit| limit.limitOffset;
    }
    EState {
        parameters: Option<Node<'a, pg_sys::ParamListInfoData>> = |query| query.es_param_list_info;
    }
    ParamListInfoData {
        /// Values come from a function, not from the list.
        are_fetched: bool = |list| list.paramFetch.is_some();
        values: Array<'a, pg_sys::ParamExternData> = |list| (list.params.as_ptr().cast_mut(), list.numParams);
    }
    Param(T_Param) {
        is_external: bool = |param| param.paramkind == pg_sys::ParamKind::PARAM_EXTERN;
        number: i32 = |param| param.paramid;
    }
    NullTest(T_NullTest) {
        is_not_null: bool = |test| test.nulltesttype == pg_sys::NullTestType::IS_NOT_NULL;
        argument: Option<Node<'a>> = |test| test.arg.cast();
    }
    IndexScanState(T_IndexScanState) {
        /// None in a plan that is only explained.
        index: Option<Index<'a>> = |node| node.iss_RelationDesc;
        scan: Option<Node<'a, pg_sys::IndexScanDescData>> = |node| node.iss_ScanDesc;
        conditions: i32 = |node| node.iss_NumScanKeys;
        /// How many expressions the rows are ordered by, and the first of them.
        order_keys: i32 = |node| node.iss_NumOrderByKeys;
        order_key: Option<Node<'a, pg_sys::ScanKeyData>> = |node| node.iss_OrderByKeys;
        plan: Node<'a, pg_sys::Plan> = |node| node.ss.ps.plan;
    }
    ScanKeyData {
        flags: i32 = |key| key.sk_flags;
        <- set_flags: i32 = |key| key.sk_flags;
    }
    BitmapIndexScanState(T_BitmapIndexScanState) {
        /// None in a plan that is only explained.
        index: Option<Index<'a>> = |node| node.biss_RelationDesc;
        scan: Option<Node<'a, pg_sys::IndexScanDescData>> = |node| node.biss_ScanDesc;
    }
    ExplainState {
        is_analyze: bool = |explain| explain.analyze;
        is_text: bool = |explain| explain.format == pg_sys::ExplainFormat::EXPLAIN_FORMAT_TEXT;
    }
}
