//! Tables and sections of the pages that are written from measurements.

use std::fs;
use std::path::Path;

/// A table, and an empty line.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let names: Vec<String> = head.iter().map(|name| name.to_string()).collect();
    let mut text = line(&names) + &format!("|{}\n", "---|".repeat(head.len()));
    rows.into_iter().for_each(|row| text.push_str(&line(&row)));
    text + "\n"
}

/// What it was measured on.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let wide = cpu.contains("avx512_vpopcntdq");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}, {cores} cores{}",
        model.map_or("Unknown processor", |(_, name)| name),
        if wide { ", AVX-512 with VPOPCNTDQ" } else { "" }
    )
}

/// Replaces the text between a section's markers in a page.
pub fn replace_section(page: &Path, name: &str, section: &str) {
    let text = fs::read_to_string(page).expect("the page");
    let marker = |end: &str| format!("<!-- {end} {name} -->\n");
    let (head, rest) = text.split_once(&marker("begin")).expect("a marker in the page");
    let (_, tail) = rest.split_once(&marker("end")).expect("a marker in the page");
    let text = [head, &marker("begin"), section, &marker("end"), tail].concat();
    fs::write(page, text).expect("the page");
}
