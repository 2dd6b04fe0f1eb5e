//! The loop of a process that builds shards: it starts them, waits, and publishes what is finished.

use std::time::{Duration, Instant};

use super::build_shard::RunningBuild;
use super::context::{BESIDE_INTERVAL, Job, Stopped, Watcher, WorkDone, YIELD_INTERVAL};
use super::plan::ShardPlan;
use super::progress::{self, Phase, Progress};
use super::report::warn;
use super::signals::{self, WaitEvent};
use super::threads;
use crate::failpoint::failpoint_is_on;
use crate::relation::in_recovery;

/// How long the loop waits before it looks again: briefly at first, for builds that are soon done.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(20);

/// The builds of one process. Dropping them cancels them and waits for their threads.
struct Builds {
    /// The shard that was asked for, until it is published.
    main: Option<RunningBuild>,
    /// A shard of the tail, which does not wait for the end of the main build.
    beside: Option<RunningBuild>,
}

impl Job<'_> {
    /// Builds a shard and lists it. If the job looks for work beside a long build, it may do more.
    pub(super) fn build_shard(&mut self, plan: ShardPlan) -> Result<WorkDone, Stopped> {
        let _progress = Progress::begin(self.index);
        let builds = Builds {
            main: self.begin(plan)?,
            beside: None,
        };
        self.run(builds)
    }

    /// Publishes these builds, each when it is finished. An error means that the main one is not listed.
    fn run(&mut self, mut builds: Builds) -> Result<WorkDone, Stopped> {
        let mut done = WorkDone::default();
        let mut wait = FIRST_WAIT;
        let mut asked = Instant::now();
        while builds.are_running() {
            if failpoint_is_on!("build_meanwhile") {
                self.work_beside(&mut builds, &mut done);
            }
            if let Some(build) = take_finished(&mut builds.beside) {
                self.publish_beside(build, &mut done);
                continue;
            }
            if let Some(build) = builds.take_finished_main() {
                done += self.publish(build)?;
                continue;
            }
            signals::wait(wait, WaitEvent::Build);
            wait = LONGEST_WAIT.min(wait * 2);
            builds.show_progress(self.watcher);
            if signals::wants_to_stop() {
                // First the threads: the process may end at the next look for interrupts, without coming back here.
                drop(builds);
                pgrx::check_for_interrupts!();
                threads::raise_cancelled();
            }
            // Barriers and the like must not wait for the build.
            pgrx::check_for_interrupts!();
            if asked.elapsed() >= YIELD_INTERVAL {
                asked = Instant::now();
                if self.watcher.must_yield() {
                    return builds.main.is_none().then_some(done).ok_or(Stopped::Yielded);
                }
                self.work_beside(&mut builds, &mut done);
            }
        }
        Ok(done)
    }

    /// What cannot wait for the end of a long build: frees what is wholly dead, so that inserts use its blocks, and
    /// begins a shard of the tail if that is due. Failure is a warning and the end of such work; the next run tries
    /// again.
    fn work_beside(&mut self, builds: &mut Builds, done: &mut WorkDone) {
        let (Some(main), None) = (&builds.main, &builds.beside) else {
            return;
        };
        let is_time = |at: Instant| Instant::now() >= at || failpoint_is_on!("build_meanwhile");
        if !self.next_look_beside.is_some_and(is_time) || in_recovery() {
            return;
        }
        self.next_look_beside = Some(Instant::now() + BESIDE_INTERVAL);
        let freed = self.free_dead(Some(&main.plan)).map(|freed| *done += freed);
        match freed.and_then(|()| self.begin_beside(&main.plan)) {
            Ok(begun) => builds.beside = begun,
            Err(why) => self.give_up_beside(why),
        }
    }

    fn begin_beside(&mut self, main: &ShardPlan) -> Result<Option<RunningBuild>, Stopped> {
        if !self.rest_of_tail_is_due(main) {
            return Ok(None);
        }
        let closed = self.close_tail(Some(main));
        match self.first_seal(&closed) {
            Some(plan) => self.begin(plan),
            None => Ok(None),
        }
    }

    fn publish_beside(&mut self, build: RunningBuild, done: &mut WorkDone) {
        match self.publish(build) {
            Ok(published) => {
                *done += published;
                // The tail may be worth another one.
                self.next_look_beside = Some(Instant::now());
            }
            Err(why) => self.give_up_beside(why),
        }
    }

    fn give_up_beside(&mut self, why: Stopped) {
        warn(self.index, why);
        self.next_look_beside = None;
    }
}

impl Builds {
    fn are_running(&self) -> bool {
        self.main.is_some() || self.beside.is_some()
    }

    /// Tells how far the newest build is.
    fn show_progress(&self, watcher: &mut dyn Watcher) {
        if let Some(build) = self.beside.as_ref().or(self.main.as_ref()) {
            let (inserted, total) = build.progress();
            watcher.progress(&build.title, inserted, total);
            progress::show(build.plan.purpose, Phase::Building, inserted, total);
        }
    }

    fn take_finished_main(&mut self) -> Option<RunningBuild> {
        // For tests every build is a long one: it is not finished before those beside it.
        if failpoint_is_on!("build_meanwhile") && self.beside.is_some() {
            return None;
        }
        take_finished(&mut self.main)
    }
}

fn take_finished(build: &mut Option<RunningBuild>) -> Option<RunningBuild> {
    build.take_if(|build| build.is_finished())
}
