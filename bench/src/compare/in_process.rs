//! The libraries that run in the caller's process, measured by the scripts in `in_process`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use cluster_tests::codes::Row;
use serde_json::Value;

use super::curves::Truth;
use super::results::{Build, Point, Results};
use super::set::{Content, Set};
use super::stored::Stored;
use crate::measure::{median, quantile};

/// A Python process with some indexes of the same rows.
pub struct InProcess {
    child: Child,
    /// Its end tells the process to finish.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// How the rows are called that differ from those of other processes.
    suffix: &'static str,
}

/// The Python with the libraries, if there is one.
pub fn python() -> Option<PathBuf> {
    Some(std::env::var_os("ISCC_BENCH_PYTHON")?.into())
}

/// Builds the libraries' indexes, one process after the other; none without the libraries.
pub fn build(set: &Set, truth: &Truth, results: &mut Results) -> Vec<InProcess> {
    let Some(python) = python() else {
        eprintln!("no Python with FAISS and iscc-usearch: left out");
        return Vec::new();
    };
    const CODES: &[&str] = &["faiss-flat", "faiss-hnsw", "nphd"];
    const VECTORS: &[&str] = &[
        "faiss-flat",
        "faiss-hnsw",
        "hnswlib",
        "usearch-f32",
        "usearch-f16",
        "usearch-i8",
        "sharded",
    ];
    let parts = match set.content {
        Content::Vectors { dimensions } => vec![(Stored::Array(dimensions), VECTORS)],
        Content::Codes => vec![(Stored::Full, CODES)],
        Content::MixedCodes => vec![(Stored::Full, CODES), (Stored::Mixed, &["sharded-nphd"])],
    };
    let build = |(stored, systems): (Stored, &[&str])| {
        let mut process = InProcess::spawn(&python, set, stored, truth, systems);
        process.built(results);
        process
    };
    parts.into_iter().map(build).collect()
}

impl InProcess {
    fn spawn(python: &Path, set: &Set, stored: Stored, truth: &Truth, systems: &[&str]) -> InProcess {
        let directory = std::env::var_os("ISCC_TMP").map_or_else(std::env::temp_dir, PathBuf::from);
        let suffix = if stored == Stored::Mixed { ", mixed lengths" } else { "" };
        let script = match set.content {
            Content::Vectors { .. } => "vectors.py",
            Content::Codes | Content::MixedCodes => "codes.py",
        };
        let file = directory.join(format!("{}-{}.rows", set.name, systems[0]));
        write_rows(&file, set, stored, truth.kth(stored)).expect("rows for Python");
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("in_process");
        let mut child = Command::new(python)
            .arg(scripts.join(script))
            .arg(file)
            .args(systems)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start Python");
        let output = child.stdout.take().expect("its output");
        InProcess {
            input: child.stdin.take(),
            child,
            output: BufReader::new(output),
            suffix,
        }
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("Python's answer");
        serde_json::from_str(&line).expect("JSON from Python")
    }

    fn system(&self, value: &Value) -> String {
        format!("{}{}", string(&value["system"]), self.suffix)
    }

    /// Waits until the indexes are built; notes what they cost, and the libraries' versions.
    fn built(&mut self, results: &mut Results) {
        let answer = self.answer();
        for build in array(&answer["builds"]) {
            results.builds.push(Build {
                system: self.system(build),
                seconds: number(&build["seconds"]),
                bytes: number(&build["bytes"]) as u64,
            });
        }
        for (name, version) in answer["packages"].as_object().expect("packages") {
            results.add_software(format!("{name} {}", string(version)));
        }
    }

    /// Asks a batch of queries at each setting.
    pub fn turn(&mut self, turn: usize, batches: usize) {
        let input = self.input.as_mut().expect("Python's input");
        writeln!(input, "{turn} {batches}").expect("Python's input");
        self.answer();
    }

    /// What was found.
    pub fn points(mut self) -> Vec<Point> {
        self.input = None;
        let answer = self.answer();
        assert!(self.child.wait().expect("Python").success());
        let point = |point: &Value| {
            let times: Vec<f64> = array(&point["milliseconds"]).iter().map(number).collect();
            let system = self.system(point);
            Point {
                curve: system.clone(),
                system,
                setting: string(&point["setting"]),
                recall: number(&point["recall"]),
                median: median(&times),
                p95: quantile(&times, 0.95),
            }
        };
        array(&answer).iter().map(point).collect()
    }
}

/// The file that the scripts describe.
fn write_rows(path: &Path, set: &Set, stored: Stored, kth: &[f64]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let dimensions = match set.content {
        Content::Vectors { dimensions } => Some(dimensions),
        Content::Codes | Content::MixedCodes => None,
    };
    for count in [Some(set.stored.len()), Some(set.queries.len()), dimensions] {
        count.map_or(Ok(()), |count| file.write_all(&(count as u32).to_le_bytes()))?;
    }
    let mut write = |row: &Row| {
        let bytes = stored.of(row);
        if dimensions.is_some() {
            return file.write_all(bytes);
        }
        let mut record = [0; 33];
        record[0] = bytes.len() as u8;
        record[1..=bytes.len()].copy_from_slice(bytes);
        file.write_all(&record)
    };
    set.stored.iter().chain(&set.queries).try_for_each(&mut write)?;
    kth.iter()
        .try_for_each(|distance| file.write_all(&distance.to_le_bytes()))?;
    file.flush()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn string(value: &Value) -> String {
    value.as_str().expect("a string").into()
}
