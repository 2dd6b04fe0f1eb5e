//! Finds out what the plan above an ordered scan wants of it.
//!
//! PostgreSQL builds DISTINCT, GROUP BY, merge joins, window functions, WITH TIES and more on the order of a scan and on
//! its having every row. So a scan is exact unless a LIMIT bounds it and nothing in between relies on its order: only
//! then is an approximate search what the statement asks for. The executor's start hook finds these scans and writes what
//! they are for into their ordering key: the upper bits of `sk_flags` belong to the access method, and `amrescan` gets
//! them back with each query.

use pgrx::pg_sys::{self, NodeTag, PlanState};

use crate::am::scan;
use crate::compat;
use crate::relation::Index;
use crate::search::demand::{Demand, MOST_ROWS};
use crate::storage::definition::is_usearch_index;

/// Rows that a LIMIT whose number is not known yet is taken to want.
const USUAL_ROWS: f64 = 10.0;

/// Has each plan looked at when it starts; called when the library is loaded.
pub fn register() {
    compat::on_executor_start(look_at);
}

/// Tells the scans below each LIMIT of a plan what they are for.
unsafe fn look_at(node: *mut PlanState) {
    if node.is_null() {
        return;
    }
    // SAFETY: a plan that has been started; each node's tag tells its type.
    unsafe {
        if (*node).type_ == NodeTag::T_LimitState {
            let limit = &*node.cast::<pg_sys::LimitState>();
            if limit.limitOption == pg_sys::LimitOption::LIMIT_OPTION_COUNT
                && let Some(rows) = rows_of(limit)
            {
                let bounded = Bounded { rows, filtered: false };
                bounded.reaches((*node).lefttree);
            }
        }
        for_each_child(node, |child| look_at(child));
    }
}

/// Calls `visit` with all nodes directly below this one, those of subqueries included.
unsafe fn for_each_child(node: *mut PlanState, mut visit: impl FnMut(*mut PlanState)) {
    // SAFETY: as in `look_at`.
    unsafe {
        for list in [(*node).initPlan, (*node).subPlan] {
            let plans = pgrx::PgList::<pg_sys::SubPlanState>::from_pg(list);
            plans.iter_ptr().for_each(|plan| visit((*plan).planstate));
        }
        visit((*node).lefttree);
        visit((*node).righttree);
        for &member in members(node) {
            visit(member);
        }
        if (*node).type_ == NodeTag::T_SubqueryScanState {
            visit((*node.cast::<pg_sys::SubqueryScanState>()).subplan);
        }
        if (*node).type_ == NodeTag::T_CustomScanState {
            let custom = &*node.cast::<pg_sys::CustomScanState>();
            let plans = pgrx::PgList::<PlanState>::from_pg(custom.custom_ps);
            plans.iter_ptr().for_each(&mut visit);
        }
    }
}

/// The members of an Append or MergeAppend.
unsafe fn members<'a>(node: *mut PlanState) -> &'a [*mut PlanState] {
    // SAFETY: as in `look_at`; the arrays have so many elements.
    unsafe {
        let (plans, count) = match (*node).type_ {
            NodeTag::T_AppendState => {
                let append = &*node.cast::<pg_sys::AppendState>();
                (append.appendplans, append.as_nplans)
            }
            NodeTag::T_MergeAppendState => {
                let append = &*node.cast::<pg_sys::MergeAppendState>();
                (append.mergeplans, append.ms_nplans)
            }
            _ => return &[],
        };
        match plans.is_null() {
            true => &[],
            false => std::slice::from_raw_parts(plans, count.max(0) as usize),
        }
    }
}

/// The rows that a LIMIT lets through or skips; None without a number.
unsafe fn rows_of(limit: &pg_sys::LimitState) -> Option<f64> {
    // SAFETY: a LIMIT that has been started.
    unsafe {
        let plan = &*limit.ps.plan.cast::<pg_sys::Limit>();
        if plan.limitCount.is_null() {
            return None;
        }
        let known = |node| number(node, limit.ps.state);
        let count = match known(plan.limitCount) {
            // LIMIT NULL is none.
            Some(None) => return None,
            Some(Some(count)) => count,
            None => USUAL_ROWS,
        };
        let offset = match plan.limitOffset.is_null() {
            true => 0.0,
            false => known(plan.limitOffset).flatten().unwrap_or(0.0),
        };
        Some((count + offset).max(1.0))
    }
}

/// The value of a constant or of a statement's parameter: Some(None) for NULL, None for what is known only later.
unsafe fn number(node: *mut pg_sys::Node, state: *mut pg_sys::EState) -> Option<Option<f64>> {
    // SAFETY: an expression of type bigint, and the state of the query that it is part of.
    unsafe {
        match (*node).type_ {
            NodeTag::T_Const => {
                let constant = &*node.cast::<pg_sys::Const>();
                Some((!constant.constisnull).then(|| constant.constvalue.value() as i64 as f64))
            }
            NodeTag::T_Param => {
                let param = &*node.cast::<pg_sys::Param>();
                let list = (*state).es_param_list_info;
                let is_known = param.paramkind == pg_sys::ParamKind::PARAM_EXTERN
                    && !list.is_null()
                    && (*list).paramFetch.is_none()
                    && (1..=(*list).numParams).contains(&param.paramid);
                if !is_known {
                    return None;
                }
                let value = &*(*list).params.as_ptr().add(param.paramid as usize - 1);
                (value.ptype == pg_sys::INT8OID).then(|| (!value.isnull).then(|| value.value.value() as i64 as f64))
            }
            _ => None,
        }
    }
}

/// What a LIMIT wants of the nodes below it.
#[derive(Clone, Copy)]
struct Bounded {
    /// Rows of the node at hand.
    rows: f64,
    filtered: bool,
}

impl Bounded {
    /// Follows the LIMIT to the scans that it bounds: through nodes that hand rows on one by one, in their order. Any other
    /// node relies on the order, or wants all rows.
    unsafe fn reaches(self, node: *mut PlanState) {
        if node.is_null() {
            return;
        }
        // SAFETY: as in `look_at`.
        unsafe {
            let filtered = self.filtered || !(*node).qual.is_null();
            let below = Bounded { filtered, ..self };
            match (*node).type_ {
                NodeTag::T_ResultState | NodeTag::T_LockRowsState | NodeTag::T_ProjectSetState => {
                    below.reaches((*node).lefttree);
                }
                NodeTag::T_SubqueryScanState => {
                    let subplan = (*node.cast::<pg_sys::SubqueryScanState>()).subplan;
                    below.through(node, subplan).reaches(subplan);
                }
                NodeTag::T_AppendState | NodeTag::T_MergeAppendState => {
                    for &member in members(node) {
                        below.reaches(member);
                    }
                }
                NodeTag::T_NestLoopState => {
                    let outer = (*node).lefttree;
                    let joined = Bounded {
                        filtered: true,
                        ..below
                    };
                    joined.through(node, outer).reaches(outer);
                }
                NodeTag::T_IndexScanState => below.tell(node.cast()),
                _ => {}
            }
        }
    }

    /// What is wanted of `child`, of whose rows `node` lets a part pass.
    unsafe fn through(self, node: *mut PlanState, child: *mut PlanState) -> Self {
        if child.is_null() {
            return self;
        }
        // SAFETY: nodes of a plan that has been started.
        let (out, of) = unsafe { ((*(*node).plan).plan_rows, (*(*child).plan).plan_rows) };
        Bounded {
            rows: self.rows * (of.max(1.0) / out.max(1.0)).max(1.0),
            ..self
        }
    }

    /// Tells a scan what it is for.
    unsafe fn tell(self, node: *mut pg_sys::IndexScanState) {
        // SAFETY: an index scan that has been started; its relation is open unless the plan is only explained.
        unsafe {
            let state = &mut *node;
            let index = state.iss_RelationDesc;
            if index.is_null()
                || state.iss_NumOrderByKeys != 1
                || !is_usearch_index(Index::from_raw(index))
                || asks_for_minimum(node)
            {
                return;
            }
            let tuples = f64::from((*(*index).rd_rel).reltuples);
            let passing = (*state.ss.ps.plan).plan_rows.max(1.0);
            // Conditions of the index are its own: who reaches their bound has all.
            let is_bounded = state.iss_NumScanKeys > 0;
            let share = match self.filtered && !is_bounded && tuples > passing {
                true => passing / tuples,
                false => 1.0,
            };
            // So many that five times in six enough of them pass.
            let rows = ((self.rows + (self.rows * (1.0 - share)).sqrt()) / share).ceil();
            if rows > f64::from(MOST_ROWS) {
                return;
            }
            let rows = rows as u16;
            let demand = match self.filtered {
                true => Demand::Filtered(rows),
                false => Demand::Nearest(rows),
            };
            (*state.iss_OrderByKeys).sk_flags |= demand.flags();
            if self.filtered {
                compat::after_each_row(&mut state.ss.ps, row_has_left);
            }
        }
    }
}

/// True for a scan that PostgreSQL has planned for `min(distance)`: the first row that has one.
unsafe fn asks_for_minimum(node: *mut pg_sys::IndexScanState) -> bool {
    // SAFETY: as in `tell`.
    unsafe {
        let plan = &*(*node).ss.ps.plan.cast::<pg_sys::IndexScan>();
        let is_test = |clause: *mut pg_sys::Node| {
            (*clause).type_ == NodeTag::T_NullTest
                && (*clause.cast::<pg_sys::NullTest>()).nulltesttype == pg_sys::NullTestType::IS_NOT_NULL
                && pg_sys::is_opclause((*clause.cast::<pg_sys::NullTest>()).arg.cast())
        };
        let quals = pgrx::PgList::<pg_sys::Node>::from_pg(plan.scan.plan.qual);
        quals.iter_ptr().any(is_test)
    }
}

/// A row has passed the conditions of a scan's node.
unsafe fn row_has_left(node: *mut PlanState) {
    // SAFETY: the hook is set for index scans only; once a row has come, the scan has begun.
    unsafe {
        let scan = (*node.cast::<pg_sys::IndexScanState>()).iss_ScanDesc;
        if !scan.is_null() {
            scan::row_has_left(scan);
        }
    }
}
