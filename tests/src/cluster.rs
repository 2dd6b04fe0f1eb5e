//! A private server: start, stop, kill, and read its log.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};

use crate::{PATIENCE, log, wait_until};

/// The settings of every server; a test's own come after these and win.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("fsync", "off"),
    ("autovacuum", "off"),
    // So that shards are where a test makes them.
    ("iscc_usearch.background_worker", "off"),
    ("max_connections", "40"),
    ("max_wal_size", "4GB"),
    ("log_line_prefix", log::PREFIX),
];

/// The messages that a connection has received, each as `SEVERITY: text`.
pub type Notices = Arc<Mutex<Vec<String>>>;

/// How a server is asked to stop.
#[derive(Clone, Copy)]
pub enum Shutdown {
    /// Ends the sessions, writes a checkpoint.
    Fast,
    /// Ends at once; the next start recovers from WAL.
    Immediate,
}

/// A running server with a data directory of its own. Dropping it removes both.
pub struct Cluster {
    dir: PathBuf,
    bindir: PathBuf,
    settings: Vec<(String, String)>,
    server: Option<Child>,
    /// Processes of the server that the test has killed, each by itself.
    kills: usize,
}

/// Where to connect: the part of a [`Cluster`] that other threads may have.
#[derive(Clone)]
pub struct Connector {
    socket_dir: PathBuf,
}

impl Connector {
    /// Connects to a database as the superuser.
    pub fn try_client(&self, database: &str) -> Result<Client, postgres::Error> {
        self.config(database).connect(NoTls)
    }

    /// Connects to the database `postgres` as the superuser.
    pub fn client(&self) -> Client {
        self.client_of("postgres")
    }

    /// Connects to a database as the superuser.
    pub fn client_of(&self, database: &str) -> Client {
        self.try_client(database)
            .unwrap_or_else(|e| panic!("cannot connect to {database}: {e}"))
    }

    /// A connection, and the messages that it receives.
    pub fn client_with_notices(&self) -> (Client, Notices) {
        let notices = Notices::default();
        let seen = notices.clone();
        let mut config = self.config("postgres");
        config.notice_callback(move |notice| {
            let line = format!("{}: {}", notice.severity(), notice.message());
            seen.lock().unwrap().push(line);
        });
        (config.connect(NoTls).expect("connect"), notices)
    }

    fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.socket_dir).user("postgres").dbname(database);
        config
    }
}

impl Cluster {
    /// A new server with the extension created in the database `postgres`.
    pub fn start() -> Cluster {
        Cluster::with(&[])
    }

    /// The same with settings of its own.
    pub fn with(settings: &[(&str, &str)]) -> Cluster {
        let dir = new_directory();
        copy_directory(template(), &dir.join("data"));
        let mut cluster = Cluster::at(dir, settings);
        cluster.start_server();
        cluster
            .client()
            .batch_execute("CREATE EXTENSION iscc_usearch")
            .expect("CREATE EXTENSION");
        cluster
    }

    /// A server that does not run yet, with a directory of its own that has no data in it.
    pub(crate) fn at(dir: PathBuf, settings: &[(&str, &str)]) -> Cluster {
        let settings = settings.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Cluster {
            dir,
            bindir: bindir(),
            settings,
            server: None,
            kills: 0,
        }
    }

    /// The same with this server's settings and the programs of any installation.
    pub(crate) fn sibling(&self, bindir: &Path) -> Cluster {
        Cluster {
            dir: new_directory(),
            bindir: bindir.to_path_buf(),
            settings: self.settings.clone(),
            server: None,
            kills: 0,
        }
    }

    /// The directory of the server's programs.
    pub(crate) fn bindir(&self) -> &Path {
        &self.bindir
    }

    /// Where to connect, for another thread.
    pub fn connector(&self) -> Connector {
        Connector {
            socket_dir: self.dir.clone(),
        }
    }

    /// A connection to the database `postgres` as the superuser.
    pub fn client(&self) -> Client {
        self.connector().client()
    }

    /// What psql prints for a statement: unaligned rows, without headers.
    pub fn psql(&self, sql: &str) -> String {
        self.run("psql", &["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql])
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// A path beside the data directory, in a directory where the server's user may write.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The files in the extension's directory, temporary ones too, sorted by name.
    pub fn shard_files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.data_dir().join("iscc_usearch")) else {
            return Vec::new();
        };
        let mut files: Vec<_> = entries.map(|e| e.expect("directory entry").path()).collect();
        files.sort();
        files
    }

    /// Gives a file that a test has written to the server's user.
    pub fn give_to_server(&self, file: &Path) {
        let owner = fs::metadata(self.data_dir()).expect("data directory");
        chown(file, Some(owner.uid()), Some(owner.gid())).expect("chown");
    }

    /// Keeps a copy of the stopped server's data directory.
    pub fn save(&self) {
        assert!(self.server.is_none(), "the server runs");
        copy_directory(&self.data_dir(), &self.beside("saved"));
    }

    /// Makes the stopped server's data directory what it was when it was saved.
    pub fn restore(&self) {
        assert!(self.server.is_none(), "the server runs");
        fs::remove_dir_all(self.data_dir()).expect("remove");
        copy_directory(&self.beside("saved"), &self.data_dir());
    }

    /// Starts the server again after it was stopped or killed, and waits until it accepts connections.
    pub fn start_server(&mut self) {
        assert!(self.server.is_none(), "the server runs already");
        let deadline = Instant::now() + PATIENCE;
        while !self.try_start() {
            // What a killed server leaves behind (a child that has not noticed yet) goes away by itself.
            let transient = self.log().contains("pre-existing shared memory block");
            assert!(
                transient && Instant::now() < deadline,
                "the server did not start:\n{}",
                self.log_tail()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn try_start(&mut self) -> bool {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.dir.join("log"))
            .expect("log file");
        let mut command = server_command(&self.bindir, "postgres");
        command
            .arg("-D")
            .arg(self.data_dir())
            .args(["-c", &format!("unix_socket_directories={}", self.dir.display())])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log file"))
            .stderr(log);
        let own = self.settings.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        for (key, value) in SETTINGS.iter().copied().chain(own) {
            command.args(["-c", &format!("{key}={value}")]);
        }
        let mut server = command.spawn().expect("start postgres");
        let deadline = Instant::now() + PATIENCE;
        while self.connector().try_client("postgres").is_err() {
            if server.try_wait().expect("wait for postgres").is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "no connection:\n{}", self.log_tail());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.server = Some(server);
        true
    }

    /// Stops the server and waits for its end.
    pub fn stop(&mut self, how: Shutdown) {
        if let Some(mut server) = self.server.take() {
            let signal = match how {
                Shutdown::Fast => "INT",
                Shutdown::Immediate => "QUIT",
            };
            kill(signal, &[server.id()]);
            server.wait().expect("wait for postgres");
        }
    }

    /// Stops the server in an orderly way and starts it again.
    pub fn restart(&mut self) {
        self.stop(Shutdown::Fast);
        self.start_server();
    }

    /// What a power failure does to the processes: all of them end at once, by SIGKILL, with nothing written any more.
    pub fn kill9_postmaster(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        kill("STOP", &[server.id()]);
        let mut all = children_of(server.id());
        all.push(server.id());
        kill("KILL", &all);
        server.wait().expect("wait for postgres");
    }

    /// Stops one of the server's own processes, such as `walwriter`, from doing anything until all are killed.
    pub fn pause(&self, backend_type: &str) {
        let sql = format!("SELECT pid FROM pg_stat_activity WHERE backend_type = '{backend_type}'");
        kill("STOP", &[self.psql(&sql).parse().expect("a pid")]);
    }

    /// Kills one backend, upon which the postmaster ends all others and recovers; waits for that.
    pub fn kill9_backend(&mut self, pid: i32) {
        self.one_process_ends(|| kill("KILL", &[pid as u32]));
    }

    /// The same for a process that may end by itself at any time; false when it did so first.
    pub fn kill9_if_there(&mut self, pid: i32) -> bool {
        let recoveries = |cluster: &Cluster| cluster.log().matches("all server processes terminated").count();
        let before = recoveries(self);
        kill("KILL", &[pid as u32]);
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut was_there = false;
        wait_until("the process is gone", || {
            was_there = recoveries(self) > before;
            let is_gone = !Path::new(&format!("/proc/{pid}")).exists();
            was_there || is_gone && Instant::now() > deadline
        });
        self.kills += usize::from(was_there);
        wait_until("the server has recovered", || {
            self.connector().try_client("postgres").is_ok()
        });
        was_there
    }

    /// Waits until the postmaster has ended all processes and recovered, because `act` made one of them end by SIGKILL.
    pub fn one_process_ends(&mut self, act: impl FnOnce()) {
        self.kills += 1;
        let recoveries = || self.log().matches("all server processes terminated").count();
        let before = recoveries();
        act();
        wait_until("the postmaster has seen the crash", || recoveries() > before);
        wait_until("the server has recovered", || {
            self.connector().try_client("postgres").is_ok()
        });
    }

    /// Gives the server a setting from its next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.into(), value.into()));
    }

    /// Changes a setting for all sessions that begin from now on; None takes it back.
    pub fn set_for_new_sessions(&self, name: &str, value: Option<&str>) {
        let change = value.map_or(format!("RESET {name}"), |value| format!("SET {name} = '{value}'"));
        let mut client = self.client();
        // The library must be there for its settings to be known.
        for sql in [
            "LOAD 'iscc_usearch'",
            &format!("ALTER SYSTEM {change}"),
            "SELECT pg_reload_conf()",
        ] {
            client.batch_execute(sql).expect("ALTER SYSTEM");
        }
        let shown = format!("SELECT coalesce(current_setting('{name}', true), '')");
        wait_until("new sessions have the setting", || {
            let now: String = self.client().query_one(&shown, &[]).expect("setting").get(0);
            now == value.unwrap_or_default()
        });
    }

    /// The server's log.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.dir.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Panics when the log tells of a crash other than a kill by the test itself, or of a panic in Rust. The end of
    /// every test does this.
    pub fn assert_no_crash(&self) {
        if let Some(line) = log::crash(&self.log(), self.kills) {
            panic!("the server crashed: {line}\n{}", self.log_tail());
        }
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop(Shutdown::Immediate);
        let crash = log::crash(&self.log(), self.kills).map(str::to_string);
        let (log, failed) = (self.log_tail(), std::thread::panicking());
        let _ = fs::remove_dir_all(&self.dir);
        if failed {
            eprintln!("the end of the server's log:\n{log}");
        } else if let Some(line) = crash {
            panic!("the server crashed: {line}\n{log}");
        }
    }
}

/// The programs of the private installation.
fn bindir() -> PathBuf {
    let bindir = std::env::var_os("ISCC_PG_BINDIR").expect(
        "ISCC_PG_BINDIR is not set: run the tests by `make test` or `scripts/with-prefix cargo test -p cluster-tests`",
    );
    bindir.into()
}

/// A program, to be run as the user that runs the server, which PostgreSQL does not allow root to be.
pub(crate) fn server_command(bindir: &Path, name: &str) -> Command {
    let mut command = Command::new(bindir.join(name));
    command.current_dir("/");
    if let Some((uid, gid)) = server_ids() {
        command.uid(uid).gid(gid);
    }
    command
}

/// User and group of the server; None when they are our own.
fn server_ids() -> Option<(u32, u32)> {
    let root = fs::metadata("/proc/self").expect("/proc").uid() == 0;
    root.then(|| {
        let user = std::env::var("ISCC_SERVER_USER").unwrap_or_else(|_| "postgres".into());
        let id = |option: &str| {
            let mut command = Command::new("id");
            command.args([option, &user]);
            String::from_utf8_lossy(&run(command).stdout)
                .trim()
                .parse()
                .expect("a numeric id")
        };
        (id("-u"), id("-g"))
    })
}

/// A data directory fresh from initdb, made once in a process.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let data = new_directory().join("data");
        initdb(&bindir(), &data);
        data
    })
}

/// Makes an empty data directory.
pub(crate) fn initdb(bindir: &Path, data: &Path) {
    let mut initdb = server_command(bindir, "initdb");
    initdb
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
        .args(["--data-checksums", "--no-sync", "--pgdata"])
        .arg(data);
    run(initdb);
}

/// A directory that belongs to the server's user; short, because a socket's path has at most 107 bytes.
pub(crate) fn new_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let base = std::env::var_os("ISCC_TMP").map_or_else(std::env::temp_dir, PathBuf::from);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = base.join(format!("t{}.{number}", std::process::id()));
    fs::create_dir(&dir).expect("create a directory for the cluster");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("chmod");
    if let Some((uid, gid)) = server_ids() {
        chown(&dir, Some(uid), Some(gid)).expect("chown");
    }
    dir
}

fn copy_directory(from: &Path, to: &Path) {
    let mut cp = Command::new("cp");
    cp.args(["--archive", "--reflink=auto"]).arg(from).arg(to);
    run(cp);
}

pub(crate) fn run(mut command: Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    let printed = String::from_utf8_lossy(stdout) + String::from_utf8_lossy(stderr);
    assert!(output.status.success(), "{command:?} failed:\n{printed}");
    output
}

/// Sends a signal; a process that is gone already is no error.
fn kill(signal: &str, pids: &[u32]) {
    let mut command = Command::new("kill");
    command
        .arg(format!("-{signal}"))
        .args(pids.iter().map(u32::to_string))
        .stderr(Stdio::null());
    command.status().expect("run kill");
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc");
    let pids = processes.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        // pid (name) state parent …, where the name may contain anything
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        fields.split_whitespace().nth(1) == Some(&parent.to_string())
    })
    .collect()
}
