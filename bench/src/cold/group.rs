//! A control group that limits the memory of a server: its processes, its shared memory, and the file pages that it reads.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cluster_tests::disk::Reads;

const MOUNT: &str = "/sys/fs/cgroup";

/// Which files a hierarchy has.
struct Files {
    limit: &'static str,
    unlimited: &'static str,
}

const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    unlimited: "-1",
};
const V2: Files = Files {
    limit: "memory.max",
    unlimited: "max",
};

/// A group of its own, which is removed in the end.
pub struct Group {
    dir: PathBuf,
    /// Where this program belongs.
    home: PathBuf,
    files: Files,
}

impl Group {
    /// Makes one, in version 1 or 2 of control groups.
    pub fn new() -> io::Result<Self> {
        let mount = Path::new(MOUNT);
        let (root, files, controller) = if mount.join("memory").is_dir() {
            (mount.join("memory"), V1, "memory")
        } else {
            (mount.to_path_buf(), V2, "")
        };
        let own = fs::read_to_string("/proc/self/cgroup")?;
        // number:controllers:path
        let path = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            (controllers.split(',').any(|c| c == controller)).then_some(path)
        });
        let home = root.join(path.unwrap_or_default().trim_start_matches('/'));
        let dir = root.join(format!("iscc_usearch_bench.{}", std::process::id()));
        fs::create_dir(&dir)?;
        let group = Self { dir, home, files };
        group.limit(None)?;
        // In a container, the path may be that of another mount.
        fs::metadata(group.home.join("cgroup.procs"))?;
        Ok(group)
    }

    /// Limits its memory; None lets it have all.
    pub fn limit(&self, bytes: Option<u64>) -> io::Result<()> {
        let text = bytes.map_or(self.files.unlimited.into(), |bytes| bytes.to_string());
        fs::write(self.dir.join(self.files.limit), text)
    }

    /// Runs `start`; the processes that it starts belong to the group.
    pub fn starts<T>(&self, start: impl FnOnce() -> T) -> T {
        let enter = |dir: &Path| fs::write(dir.join("cgroup.procs"), std::process::id().to_string());
        enter(&self.dir).expect("enter the control group");
        let started = start();
        enter(&self.home).expect("leave the control group");
        started
    }

    /// What its processes have read, those not counted that have ended.
    pub fn reads(&self) -> Reads {
        let pids = fs::read_to_string(self.dir.join("cgroup.procs")).expect("cgroup.procs");
        let all = pids.lines().map(Reads::of);
        all.fold(Reads { faults: 0, bytes: 0 }, |sum, of| Reads {
            faults: sum.faults + of.faults,
            bytes: sum.bytes + of.bytes,
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir(&self.dir) {
            eprintln!("{} is left: {why}", self.dir.display());
        }
    }
}
