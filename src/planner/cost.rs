//! Cost estimates.

use iscc_hnsw::cost::{FIRST_ROWS, MOST_ROWS, START_NS, Vectors, Width};
use iscc_hnsw::cost::{first_rows_ns, flat_ns, graph_calls, more_rows_ns};
use iscc_hnsw::search::{looked_up, within_ns};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::ball_expr::BallExpr;
use super::functions::call_of_two;
use super::nodes::{IndexInfo, Planner};
use super::vectors::vectors_of;
use crate::compat;
use crate::guc;
use crate::metrics::opclass::{NEAR_STRATEGY, function_of};
use crate::nodes::{List, Node, Set, View, functions};

functions! {
    /// Adds the cost of a call.
    fn add_function_cost(planner: Planner<'_>, function: pg_sys::Oid, call: Option<Node<'_>>, cost: &mut pg_sys::QualCost)
        = add_function_cost;
    fn conditions_of<'a>(clauses: List<'a, pg_sys::IndexClause>) -> List<'a, pg_sys::RestrictInfo> =
        get_quals_from_indexclauses;
    /// Conditions of a search, with those of a partial index that they do not imply.
    fn with_predicate<'a>(index: IndexInfo<'a>, conditions: List<'a, pg_sys::RestrictInfo>) -> List<'a> =
        add_predicate_to_index_quals;
    fn selectivity_of(
        planner: Planner<'_>,
        conditions: List<'_>,
        relation: i32,
        join: pg_sys::JoinType::Type,
        special_join: Option<Node<'_, pg_sys::SpecialJoinInfo>>,
    ) -> f64 = clauselist_selectivity;
    /// The strategy of an operator in a family; 0 without one.
    fn strategy_of(operator: pg_sys::Oid, family: pg_sys::Oid) -> i32 = get_op_opfamily_strategy;
    /// Whether a set has no, one or several members.
    fn membership_of(set: Set<'_>) -> pg_sys::BMS_Membership::Type = bms_membership;
}

/// Nanoseconds per unit of planner cost. For 110,308 codes, a sequential scan with a filter that no row passes costs
/// 2,490 units and takes 5.0 ms, sorting for the ten nearest 4,600 and 11.6 ms, sorting all 13,340 and 27 ms.
const NS_PER_COST_UNIT: f64 = 2_200.0;

/// The same for tables of vectors. There the pages count, as few rows are on each: 20,480 vectors of 384 dimensions are
/// 4,096 pages, which take 1.2 to 2.2 ms where they are in memory, and 12 to 22 ms with a distance of each.
const VECTOR_NS_PER_COST_UNIT: f64 = 1_000.0;

/// What a search is assumed to need before that is known.
const USUAL_EFFORT: usize = 64;
const USUAL_CODE_BYTES: usize = 32;
const USUAL_QUERY: Width = Width::Code(USUAL_CODE_BYTES);

/// Links that a node of a graph usually has on the base level, where a user's function computes distances.
const USUAL_LINKS: usize = 24;

/// Costs of an index path. Ordered scans and threshold searches are offered; for others the cost is infinite.
#[pg_guard]
pub unsafe extern "C-unwind" fn amcostestimate(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    _loop_count: f64,
    startup_cost: *mut pg_sys::Cost,
    total_cost: *mut pg_sys::Cost,
    selectivity: *mut pg_sys::Selectivity,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: the planner passes itself, a path of its own, and where it wants the numbers.
    let (planner, path, places) = unsafe {
        let places = [startup_cost, total_cost, selectivity, correlation, pages].map(|place| &mut *place);
        (Node::view(root), Node::view(path), places)
    };
    let cost = Cost::of(planner, path);
    let numbers = [
        cost.startup,
        cost.total,
        cost.share,
        0.0,
        f64::from(path.index().pages()),
    ];
    for (place, number) in places.into_iter().zip(numbers) {
        *place = number;
    }
}

/// Costs of a scan in the planner's unit, and the share of the table's rows that it returns.
struct Cost {
    startup: f64,
    total: f64,
    share: f64,
}

impl Cost {
    const INFINITE: Cost = Cost {
        startup: f64::INFINITY,
        total: f64::INFINITY,
        share: 1.0,
    };

    /// That of a path.
    fn of(planner: Planner<'_>, path: Node<'_, pg_sys::IndexPath>) -> Cost {
        let index = path.index();
        let conditions = conditions_of(path.conditions());
        let entries = index.entries();
        let share = || share_of_table(planner, index, conditions);
        let is_offered = !path.order().is_empty() || !conditions.is_empty();
        if let Some(vectors) = is_offered.then(|| vectors_of(index)).flatten() {
            return match (path.order().is_empty(), conditions.is_empty()) {
                (_, true) => Cost::ordered_vectors(vectors, share_wanted(planner, path)),
                (true, false) => Cost::range_of_vectors(vectors, share()),
                (false, false) if all_are_near(index, conditions) => Cost::ordered_near_vectors(vectors, share()),
                (false, false) => Cost::ordered_range_of_vectors(vectors, share()),
            };
        }
        match (path.order().is_empty(), conditions.is_empty()) {
            (true, true) => {
                compat::disable_path(path);
                Cost::INFINITE
            }
            (false, true) => {
                let wanted = share_wanted(planner, path);
                Cost::ordered(entries, wanted).with_calls(call_cost(planner, index), entries, wanted)
            }
            (has_no_order, false) => {
                let compared = compared_ns(planner, entries, conditions);
                match has_no_order {
                    true => Cost::range(entries, share(), compared),
                    false if all_are_near(index, conditions) => Cost::ordered_near(entries, share(), compared),
                    false => Cost::ordered_range(entries, share(), compared),
                }
            }
        }
    }

    /// All rows in order of distance, of which this share is wanted.
    fn ordered(entries: f64, wanted: f64) -> Cost {
        let entries = entries.max(1.0);
        let startup = first_rows_ns(entries, USUAL_QUERY, usual_effort()) / NS_PER_COST_UNIT;
        // The first rows cost more than the last ones, but the planner assumes that a share of the rows costs that
        // share of the total. So the total is set to make the share that is wanted cost what it does.
        let rows = (wanted * entries).clamp(1.0, entries);
        let cost = more_rows_ns(entries, USUAL_QUERY, rows) / NS_PER_COST_UNIT;
        let total = startup + cost * entries / rows;
        Cost {
            startup,
            total,
            share: 1.0,
        }
    }

    /// With what it costs to call a distance function: for the first rows as often as a search does, for many rows once
    /// for each entry.
    fn with_calls(self, cost_of_call: f64, entries: f64, wanted: f64) -> Cost {
        let links = USUAL_LINKS;
        let effort = guc::ef_search().unwrap_or(USUAL_EFFORT);
        let calls = match wanted * entries > FIRST_ROWS as f64 {
            true => entries,
            false => graph_calls(entries.min(u32::MAX.into()) as u32, links, effort),
        };
        Cost {
            startup: self.startup + calls * cost_of_call,
            total: self.total + calls * cost_of_call,
            share: self.share,
        }
    }

    /// This share of the rows, in no order, found in this many nanoseconds.
    fn range(entries: f64, share: f64, compared: f64) -> Cost {
        let startup = START_NS / NS_PER_COST_UNIT;
        let total = startup + compared / NS_PER_COST_UNIT + returning(entries * share);
        Cost { startup, total, share }
    }

    /// The nearest of this share of the rows, or all of them when few are in it.
    fn ordered_near(entries: f64, share: f64, compared: f64) -> Cost {
        let range = Cost::ordered_range(entries, share, compared);
        let first_rows = first_rows_ns(entries.max(1.0), USUAL_QUERY, usual_effort()) / NS_PER_COST_UNIT;
        Cost {
            startup: first_rows.min(range.startup),
            ..range
        }
    }

    /// This share of the rows, in order of distance, found in this many nanoseconds.
    fn ordered_range(entries: f64, share: f64, compared: f64) -> Cost {
        let startup = (START_NS + compared) / NS_PER_COST_UNIT;
        let rows = (entries * share).max(1.0);
        let total = startup + more_rows_ns(entries, USUAL_QUERY, rows) / NS_PER_COST_UNIT + returning(rows);
        Cost { startup, total, share }
    }
}

/// Nanoseconds of finding what meets all conditions: the narrowest one is looked up.
fn compared_ns(planner: Planner<'_>, entries: f64, conditions: List<'_, pg_sys::RestrictInfo>) -> f64 {
    let ball_of = |condition: Node<'_, pg_sys::RestrictInfo>| {
        let (_, [_, ball]) = call_of_two(condition.clause())?;
        BallExpr::of(planner, ball)?.radius
    };
    let radii = conditions.iter().filter_map(ball_of);
    radii
        .map(|radius| within_ns(entries, USUAL_CODE_BYTES, radius))
        .fold(flat_ns(entries, USUAL_QUERY), f64::min)
}

/// What a call of the index's distance function costs; 0 where the distance is computed without one.
fn call_cost(planner: Planner<'_>, index: IndexInfo<'_>) -> f64 {
    let class = index.families().get(0).zip(index.types().get(0));
    let Some(function) = class.and_then(|(family, input)| function_of(family, input)) else {
        return 0.0;
    };
    let mut cost = pg_sys::QualCost::default();
    add_function_cost(planner, function, None, &mut cost);
    cost.per_tuple
}

/// The same for dense vectors, which take long to compare: a scan that may be approximate reads few of them, and one
/// that may not reads them all, again for each eightfold number of rows.
impl Cost {
    /// All rows in order of distance, of which this share is wanted.
    fn ordered_vectors(vectors: Vectors, wanted: f64) -> Cost {
        let entries = (vectors.sealed + vectors.tail).max(1.0);
        let rows = (wanted * entries).clamp(1.0, entries);
        let (first, more) = if rows <= f64::from(MOST_ROWS) {
            (search_of_vectors(vectors, rows), 0.0)
        } else {
            (vectors.exact_ns(), vectors.more_exact_rows_ns(rows))
        };
        let startup = (START_NS + first) / VECTOR_NS_PER_COST_UNIT;
        let total = startup + more / VECTOR_NS_PER_COST_UNIT * entries / rows;
        Cost {
            startup,
            total,
            share: 1.0,
        }
    }

    /// This share of the rows, in no order.
    fn range_of_vectors(vectors: Vectors, share: f64) -> Cost {
        let rows = (vectors.sealed + vectors.tail) * share;
        let startup = START_NS / VECTOR_NS_PER_COST_UNIT;
        let total = startup + vectors.exact_ns() / VECTOR_NS_PER_COST_UNIT + returning(rows);
        Cost { startup, total, share }
    }

    /// The nearest of this share of the rows, or all of them when few are in it.
    fn ordered_near_vectors(vectors: Vectors, share: f64) -> Cost {
        let range = Cost::ordered_range_of_vectors(vectors, share);
        let first_rows = (START_NS + search_of_vectors(vectors, 1.0)) / VECTOR_NS_PER_COST_UNIT;
        Cost {
            startup: first_rows.min(range.startup),
            ..range
        }
    }

    /// This share of the rows, in order of distance.
    fn ordered_range_of_vectors(vectors: Vectors, share: f64) -> Cost {
        let rows = ((vectors.sealed + vectors.tail) * share).max(1.0);
        let startup = (START_NS + vectors.exact_ns()) / VECTOR_NS_PER_COST_UNIT;
        let total = startup + vectors.more_exact_rows_ns(rows) / VECTOR_NS_PER_COST_UNIT + returning(rows);
        Cost { startup, total, share }
    }
}

/// Nanoseconds of an approximate search for this many vectors.
fn search_of_vectors(vectors: Vectors, rows: f64) -> f64 {
    let effort = usual_effort().max(2.0 * rows);
    let looked_up = (looked_up(effort as usize) as f64).max(1.5 * rows);
    vectors.search_ns(effort, looked_up)
}

/// The effort of a search for few rows.
fn usual_effort() -> f64 {
    guc::ef_search().unwrap_or(USUAL_EFFORT) as f64
}

/// Whether a search by these conditions may be approximate where its order may.
fn all_are_near(index: IndexInfo<'_>, conditions: List<'_, pg_sys::RestrictInfo>) -> bool {
    let Some(family) = index.families().get(0) else {
        return false;
    };
    let is_near = |operator| strategy_of(operator, family) == i32::from(NEAR_STRATEGY);
    let mut clauses = conditions.iter().map(|condition| condition.clause());
    clauses.all(|clause| {
        clause
            .cast::<pg_sys::OpExpr>()
            .is_some_and(|operation| is_near(operation.operator()))
    })
}

/// What it costs to return this many rows.
fn returning(rows: f64) -> f64 {
    rows * crate::server::cpu_index_tuple_cost()
}

/// The share of the index's entries that a scan will probably return until the statement has enough rows. In a
/// statement about one table, it is known from LIMIT and from what the conditions let through.
fn share_wanted(planner: Planner<'_>, path: Node<'_, pg_sys::IndexPath>) -> f64 {
    if membership_of(planner.base_relations()) != pg_sys::BMS_Membership::BMS_SINGLETON {
        return 1.0;
    }
    let passing = path.rows().max(1.0);
    match (planner.limit_rows(), planner.wanted()) {
        (limit, _) if limit > 0.0 => limit / passing,
        (_, wanted) if wanted >= 1.0 => wanted / passing,
        (_, wanted) if wanted > 0.0 => wanted,
        _ => 1.0,
    }
}

/// The share of the table's rows that the index has and the conditions let through.
fn share_of_table(planner: Planner<'_>, index: IndexInfo<'_>, conditions: List<'_, pg_sys::RestrictInfo>) -> f64 {
    let conditions = with_predicate(index, conditions);
    let relation = index.relation().number() as i32;
    selectivity_of(planner, conditions, relation, pg_sys::JoinType::JOIN_INNER, None)
}
