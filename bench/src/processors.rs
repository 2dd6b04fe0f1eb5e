//! Which processor a client and its backend run on.
//!
//! Left alone, both may share a processor or have one each. In a virtual machine a processor that waits for the other
//! falls asleep, and waking it takes longer than a fast query: that would be most of what is measured.

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{fs, thread};

use cluster_tests::search;
use postgres::Client;

/// The processors that this program may use.
fn allowed() -> &'static [usize] {
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    ALLOWED.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let ranges = list.expect("a list of processors").trim().split(',');
        let number = |text: &str| text.parse::<usize>().expect("a processor's number");
        let range = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            number(first)..=number(last)
        };
        ranges.flat_map(range).collect()
    })
}

fn pin(process: &str, nth: usize) {
    let processor = allowed()[nth % allowed().len()].to_string();
    let mut taskset = Command::new("taskset");
    taskset
        .args(["--pid", "--cpu-list", &processor, process])
        .stdout(Stdio::null());
    assert!(taskset.status().expect("run taskset").success(), "taskset");
}

/// Runs `work` in a thread on the `nth` processor.
pub fn on<T: Send>(nth: usize, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let pinned = scope.spawn(|| {
            pin_thread(nth);
            work()
        });
        pinned.join().expect("thread")
    })
}

/// Keeps the calling thread on the `nth` processor, and the processes that it starts.
pub fn pin_thread(nth: usize) {
    let thread = fs::read_link("/proc/thread-self").expect("/proc/thread-self");
    let number = thread
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a thread's number");
    pin(number, nth);
}

/// Keeps a connection's backend on the `nth` processor.
pub fn pin_backend(client: &mut Client, nth: usize) {
    let pid: i32 = search::value(client, "SELECT pg_backend_pid()");
    pin(&pid.to_string(), nth);
}

/// Seconds of processor time that a process has used so far, in hundredths, with threads that have ended (Linux).
pub fn seconds(pid: i32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
