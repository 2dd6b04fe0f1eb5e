//! FAISS on the same codes and queries, in its own process.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cluster_tests::codes::Row;
use serde_json::Value;

use super::queries::{Search, Times};
use crate::compare::python;

/// The codes of the table in a file, as they are loaded.
pub struct Codes {
    path: PathBuf,
    file: BufWriter<File>,
}

/// What a system of FAISS did.
pub struct Peer {
    /// Its name.
    pub system: String,
    /// What building took.
    pub seconds: f64,
    /// Searches of each kind, with the effort that they needed.
    pub searches: Vec<(String, Search)>,
}

impl Codes {
    /// An empty file.
    pub fn new() -> Self {
        let directory = std::env::var_os("ISCC_TMP").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = directory.join("scale.codes");
        let file = BufWriter::new(File::create(&path).expect("a file for the codes"));
        Self { path, file }
    }

    /// Adds the code of a row.
    pub fn add(&mut self, row: &Row) {
        self.file.write_all(&row.code).expect("a file for the codes");
    }

    /// Measures FAISS with the codes so far; nothing without a Python that has it.
    pub fn measure(&mut self, kinds: &[(&'static str, &[Row])]) -> Vec<Peer> {
        let Some(python) = python() else {
            eprintln!("no Python with FAISS: left out");
            return Vec::new();
        };
        self.file.flush().expect("a file for the codes");
        let queries = self.path.with_extension("queries");
        let codes = kinds.iter().flat_map(|(_, rows)| *rows).flat_map(|row| &row.code);
        fs::write(&queries, codes.copied().collect::<Vec<u8>>()).expect("a file for the queries");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("in_process/scale.py");
        let mut command = Command::new(python);
        command
            .arg(script)
            .arg(&self.path)
            .arg(queries)
            .arg(kinds.len().to_string());
        let output = command.stderr(Stdio::inherit()).output().expect("start Python");
        assert!(output.status.success(), "FAISS");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON from Python");
        let version = &answer["version"];
        let systems = answer["systems"].as_array().expect("systems").iter();
        let names: Vec<&'static str> = kinds.iter().map(|(kind, _)| *kind).collect();
        systems.map(|system| peer(system, &names, version)).collect()
    }
}

impl Drop for Codes {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn peer(system: &Value, kinds: &[&'static str], version: &Value) -> Peer {
    let text = |value: &Value| value.as_str().expect("a text").to_string();
    let searches = system["kinds"].as_array().expect("kinds").iter().zip(kinds);
    let searches = searches.map(|(search, kind)| {
        let times = search["milliseconds"].as_array().expect("times").iter();
        let times: Vec<f64> = times.map(|time| time.as_f64().expect("a time")).collect();
        let search_of_kind = Search {
            kind,
            recall: search["recall"].as_f64().expect("a recall"),
            times: Times::of(&times),
        };
        (text(&search["setting"]), search_of_kind)
    });
    Peer {
        system: format!("{} {}", text(&system["system"]), text(version)),
        seconds: system["seconds"].as_f64().expect("seconds"),
        searches: searches.collect(),
    }
}
