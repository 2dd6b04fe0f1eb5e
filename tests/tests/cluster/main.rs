//! Whole-cluster tests, one module a subject. Each test has a server of its own, so they run in parallel.

mod crash;
mod harness;
mod lifecycle;
mod operations;
mod pages;
mod planner;
mod recall;
mod servers;
mod shard_files;
mod standby;
mod transactions;
mod vacuum;
