//! What is done to servers from outside: client programs, copies, recovery, upgrades.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use crate::cluster::{Cluster, initdb, run, server_command};
use crate::search::value;
use crate::wait_until;

impl Cluster {
    /// Runs a program of the server's installation as the server's user; what it printed. Its environment names this
    /// server, its data directory and the database `postgres`.
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        let mut command = server_command(self.bindir(), program);
        command
            .env("PGHOST", self.beside(""))
            .env("PGUSER", "postgres")
            .env("PGDATABASE", "postgres")
            .env("PGDATA", self.data_dir())
            .args(args);
        let printed = String::from_utf8(run(command).stdout).expect("UTF-8");
        printed.trim_end().to_string()
    }

    /// True when the installation has this program and it starts: some builds ship ones that do not.
    pub fn has_program(&self, program: &str) -> bool {
        let mut command = server_command(self.bindir(), program);
        command.arg("--version").stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// How other servers and programs connect to this one.
    pub fn conninfo(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.beside("").display())
    }

    /// A base backup of this server by pg_basebackup, with the same settings, not started yet.
    pub fn backup(&self, options: &[&str]) -> Cluster {
        let copy = self.sibling(self.bindir());
        let data = copy.data_dir();
        let mut args = vec!["--checkpoint=fast", "--no-sync", "--pgdata", text(&data)];
        args.extend(options);
        self.run("pg_basebackup", &args);
        copy
    }

    /// A hot standby that streams from this server.
    pub fn standby(&self, settings: &[(&str, &str)]) -> Cluster {
        self.backup(&["--write-recovery-conf"]).started(settings)
    }

    /// A server started from a base backup of this one.
    pub fn restored_basebackup(&self, settings: &[(&str, &str)]) -> Cluster {
        self.backup(&[]).started(settings)
    }

    fn started(mut self, settings: &[(&str, &str)]) -> Cluster {
        settings.iter().for_each(|(key, value)| self.set(key, value));
        self.start_server();
        self
    }

    /// This full backup and an incremental one made after it, put together; not started yet.
    pub fn combined_with(&self, incremental: &Cluster) -> Cluster {
        let whole = self.sibling(self.bindir());
        let (output, full, later) = (whole.data_dir(), self.data_dir(), incremental.data_dir());
        let args = ["--no-sync", "--output", text(&output), text(&full), text(&later)];
        whole.run("pg_combinebackup", &args);
        whole
    }

    /// What pg_upgrade makes of this stopped server with the programs in another directory, or with its own; not
    /// started yet.
    pub fn upgraded(&self, bindir: Option<&Path>) -> Cluster {
        let bindir = bindir.unwrap_or(self.bindir());
        let new = self.sibling(bindir);
        initdb(bindir, &new.data_dir());
        let mut upgrade = server_command(bindir, "pg_upgrade");
        upgrade
            .current_dir(new.beside(""))
            .args(["--username=postgres", "--no-sync"])
            .arg("--old-bindir")
            .arg(self.bindir())
            .arg("--old-datadir")
            .arg(self.data_dir())
            .arg("--new-bindir")
            .arg(bindir)
            .arg("--new-datadir")
            .arg(new.data_dir())
            .arg("--socketdir")
            .arg(new.beside(""));
        let output = upgrade.output().expect("run pg_upgrade");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{printed}\n{}", new.upgrade_log());
        new
    }

    /// What pg_restore has said about databases; pg_upgrade itself only says where that is.
    fn upgrade_log(&self) -> String {
        let runs = fs::read_dir(self.data_dir().join("pg_upgrade_output.d")).expect("pg_upgrade's output");
        let logs = runs.flat_map(|run| fs::read_dir(run.expect("directory entry").path().join("log")).expect("logs"));
        let logs = logs.map(|log| fs::read_to_string(log.expect("directory entry").path()).expect("log"));
        logs.filter(|log| log.contains("pg_restore: error:")).collect()
    }

    /// Leaves a file such as `recovery.signal` for the next start.
    pub fn signal(&self, name: &str) {
        let file = self.data_dir().join(name);
        File::create(&file).expect("signal file");
        self.give_to_server(&file);
    }

    /// Ends recovery; the server takes writes from then on.
    pub fn promote(&self) {
        self.psql("SELECT pg_promote()");
        self.recovered();
    }

    /// Waits until recovery has ended.
    pub fn recovered(&self) {
        let mut client = self.client();
        wait_until("recovery has ended", || {
            !value::<bool>(&mut client, "SELECT pg_is_in_recovery()")
        });
    }

    /// Waits until a standby has replayed all that this server has written so far. Also what VACUUM wrote last, which
    /// it leaves to others to flush: a cursor that is then opened on the standby holds pages that this would wait for.
    pub fn replayed_by(&self, standby: &Cluster) {
        let mut client = self.client();
        client
            .batch_execute("SELECT pg_logical_emit_message(true, 'test', 'flush')")
            .expect("flush");
        let lsn: String = value(&mut client, "SELECT pg_current_wal_flush_lsn()::text");
        let mut client = standby.client();
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{lsn}'::pg_lsn");
        wait_until("the standby has caught up", || value::<bool>(&mut client, &sql));
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
