//! Whole-cluster tests, one module a subject. Each test has a server of its own, so they run in parallel.

mod beyond_table;
mod concurrency;
mod crash;
mod drivers;
mod explain;
mod failpoints;
mod filters;
mod first_day;
mod harness;
mod lifecycle;
mod maintenance;
mod operations;
mod order;
mod pages;
mod plan_matrix;
mod planner;
mod queries;
mod recall;
mod recall_sets;
mod servers;
mod shard_files;
mod standby;
mod standby_maintenance;
mod transactions;
mod vacuum;
mod within;
