//! Full structural check of a shard file.

use zerocopy::FromBytes;

use super::format::{DenseHead, GraphHeader, Section};
use super::pieces::piece_of;
use super::reader::{Shard, read_u32};
use super::row_format::RowFormat;
use crate::graph::links::Links;
use crate::graph::visited::Visited;

/// Messages of each kind before the rest is only counted.
const MESSAGES_PER_CHECK: usize = 5;
/// Nodes between two calls of the caller's [`Pause`].
const NODES_PER_PAUSE: u32 = 4096;

/// Called many times a second while a shard is checked, to see whether the check must be given up. It may unwind.
pub type Pause<'a> = &'a dyn Fn();

/// Calls `pause` at every [`NODES_PER_PAUSE`]th node.
fn at_times(node: u32, pause: Pause<'_>) {
    if node.is_multiple_of(NODES_PER_PAUSE) {
        pause();
    }
}

/// Collects the messages of one check.
struct Findings {
    messages: Vec<String>,
    count: usize,
}

impl Findings {
    fn new() -> Self {
        Self {
            messages: Vec::new(),
            count: 0,
        }
    }

    fn add(&mut self, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.count <= MESSAGES_PER_CHECK {
            self.messages.push(message());
        }
    }

    fn finish(mut self, check: &str) -> Vec<String> {
        if self.count > MESSAGES_PER_CHECK {
            self.messages.push(format!(
                "{} more problems with {check}",
                self.count - MESSAGES_PER_CHECK
            ));
        }
        self.messages
    }
}

impl<B: AsRef<[u8]>> Shard<B> {
    /// Reads the whole file and checks all that the format promises; one lower-case line per problem, none if it is
    /// sound. Takes time in proportion to the file; calls `pause` meanwhile.
    pub fn verify(&self, pause: Pause<'_>) -> Vec<String> {
        let mut messages = self.verify_checksums(pause);
        messages.extend(self.verify_heads());
        messages.extend(self.verify_records(pause));
        messages.extend(self.verify_postings(pause));
        if let RowFormat::Codes { max_bytes, .. } = self.rows {
            messages.extend(self.verify_codes(max_bytes.into(), pause));
            messages.extend(self.verify_words(pause));
            messages.extend(self.verify_pieces(pause));
        }
        if let RowFormat::Opaque(_) = self.rows {
            messages.extend(self.verify_values(pause));
        }
        messages.extend(self.verify_order(pause));
        messages.extend(self.verify_reachability(pause));
        messages
    }

    fn verify_checksums(&self, pause: Pause<'_>) -> Vec<String> {
        let footer = &self.footer;
        let sections: [(&str, &Section); 8] = [
            ("vectors", &footer.vectors),
            ("graph", &footer.graph),
            ("posting_offsets", &footer.posting_offsets),
            ("ordinals", &footer.ordinals),
            ("ranges", &footer.ranges),
            (self.rows.details_name(), &footer.details),
            ("words", &footer.words),
            ("calibration", &footer.calibration),
        ];
        let message = |name| format!("checksum of section \"{name}\" does not match");
        sections
            .into_iter()
            .filter(|(_, section)| !self.is_sound(section, pause))
            .map(|(name, _)| message(name))
            .collect()
    }

    fn verify_heads(&self) -> Vec<String> {
        let mut findings = Findings::new();
        let layout = &self.layout;
        let size = self.section(&self.footer.vectors);
        if read_u32(size, 0) != Some(self.nodes()) || read_u32(size, 4) != Some(layout.stride as u32) {
            findings.add(|| "number or size of the rows does not match the footer".to_string());
        }
        let graph = self.section(&self.footer.graph);
        let head = DenseHead::read_from_prefix(graph).ok();
        if head.map(|(head, _)| head) != Some(self.rows.head(self.nodes())) {
            findings.add(|| "usearch head does not match the footer".to_string());
        }
        let header = head.and_then(|(_, rest)| GraphHeader::read_from_prefix(rest).ok());
        if header.map(|(header, _)| header) != Some(GraphHeader::new(&layout.levels, self.m())) {
            findings.add(|| "usearch graph header does not match the footer".to_string());
        }
        findings.finish("the heads")
    }

    /// Keys, levels and links of all nodes.
    fn verify_records(&self, pause: Pause<'_>) -> Vec<String> {
        let mut findings = Findings::new();
        let (layout, graph) = (&self.layout, self.section(&self.footer.graph));
        let bytes_at = |offset: u64, n: usize| graph.get(offset as usize..).and_then(|rest| rest.get(..n));
        for node in 0..self.nodes() {
            at_times(node, pause);
            let level = layout.levels.level_of(node);
            let expected = (level as u16).to_le_bytes();
            let record = layout.record_offset(node);
            if bytes_at(layout.levels_offset() + 2 * u64::from(node), 2) != Some(&expected)
                || bytes_at(record + 8, 2) != Some(&expected)
            {
                findings.add(|| format!("node {node} has another level than the footer implies"));
            }
            if bytes_at(record, 8) != Some(&u64::from(node).to_le_bytes()) {
                findings.add(|| format!("key of node {node} is not its number"));
            }
            for level in 0..=level {
                self.verify_list(node, level, &mut findings);
            }
        }
        findings.finish("the node records")
    }

    fn verify_list(&self, node: u32, level: usize, findings: &mut Findings) {
        let graph = self.section(&self.footer.graph);
        let Some((offset, capacity)) = self.layout.list_offset(node, level) else {
            return;
        };
        match read_u32(graph, offset) {
            Some(count) if u64::from(count) <= capacity => {}
            _ => findings.add(|| format!("node {node} has too many links on level {level}")),
        }
        let limit = self.layout.levels.at_least(level);
        for id in self.links().neighbors(node, level) {
            if id >= limit || id == node {
                findings.add(|| format!("node {node} has a link to node {id} on level {level}"));
            }
        }
    }

    fn verify_postings(&self, pause: Pause<'_>) -> Vec<String> {
        let mut findings = Findings::new();
        let offsets = self.section(&self.footer.posting_offsets);
        let offset_of = |node: u32| read_u32(offsets, u64::from(node) * 4).unwrap_or(u32::MAX);
        if offset_of(0) != 0 || offset_of(self.nodes()) != self.entries() {
            findings.add(|| "posting offsets do not cover the ordinals".to_string());
        }
        for node in 0..self.nodes() {
            at_times(node, pause);
            if offset_of(node) >= offset_of(node.saturating_add(1)) {
                findings.add(|| format!("node {node} has no entries"));
            }
            if !self.postings(node).is_sorted_by(|a, b| a < b) {
                findings.add(|| format!("ordinals of node {node} do not ascend"));
            }
        }
        findings.finish("the posting lists")
    }

    /// Lengths and padding of the codes.
    fn verify_codes(&self, max_code_bytes: usize, pause: Pause<'_>) -> Vec<String> {
        let mut findings = Findings::new();
        let stride = self.row_bytes();
        let field_bytes = stride - max_code_bytes;
        for (node, row) in (0..).zip(self.row_bytes_of_all().chunks_exact(stride)) {
            at_times(node, pause);
            let (field, code) = row.split_at(field_bytes);
            let length = field
                .iter()
                .rev()
                .fold(0, |length, &byte| length << 8 | usize::from(byte));
            if length == 0 || length > max_code_bytes {
                findings.add(|| format!("code of node {node} has a length of {length} bytes"));
            } else if code[length..].iter().any(|&byte| byte != 0) {
                findings.add(|| format!("code of node {node} is not padded with zeros"));
            }
        }
        findings.finish("the codes")
    }

    /// Places and checksums of the opaque values.
    fn verify_values(&self, pause: Pause<'_>) -> Vec<String> {
        let mut findings = Findings::new();
        let values = self.value_table();
        for node in 0..self.nodes() {
            at_times(node, pause);
            if values.value(node).is_none() {
                findings.add(|| format!("value of node {node} does not match its checksum"));
            }
        }
        findings.finish("the values")
    }

    /// The order of the rows, which makes them distinct.
    fn verify_order(&self, pause: Pause<'_>) -> Vec<String> {
        let mut findings = Findings::new();
        let levels = &self.layout.levels;
        let content = |node| match self.rows {
            RowFormat::Codes { .. } => self.code(node),
            RowFormat::Dense(_) => self.row(node),
            RowFormat::Opaque(_) => self.stored_value(node),
        };
        for level in 0..=levels.max_level() {
            for node in levels.at_least(level + 1) + 1..levels.at_least(level) {
                at_times(node, pause);
                if content(node - 1) >= content(node) {
                    findings.add(|| format!("rows of nodes {} and {node} are out of order", node - 1));
                }
            }
        }
        findings.finish("the order of the rows")
    }

    /// Each node's code is once in the words, and nothing else.
    fn verify_words(&self, pause: Pause<'_>) -> Vec<String> {
        let mut findings = Findings::new();
        let mut seen = Visited::default();
        seen.reset(self.nodes());
        for group in self.word_table().groups() {
            for index in 0..group.count {
                at_times(index as u32, pause);
                let node = group.node(index);
                if !seen.insert(node) || !self.code(node).is_some_and(|code| group.holds(index, code)) {
                    findings.add(|| format!("words {index} of length {} are not those of a node", group.code_bytes));
                }
            }
        }
        if seen.len() != self.nodes() as usize {
            findings.add(|| format!("{} nodes have no words", self.nodes() as usize - seen.len()));
        }
        findings.finish("the words")
    }

    /// Each code is found by each of its pieces that has a table.
    fn verify_pieces(&self, pause: Pause<'_>) -> Vec<String> {
        let mut findings = Findings::new();
        let (mut groups, mut nodes) = (0, Vec::new());
        for (group, tables) in self.word_table().pieces(self.nodes()) {
            groups += 1;
            for (index, piece) in (0..group.count).flat_map(|index| (0..tables.len()).map(move |piece| (index, piece)))
            {
                at_times(index as u32, pause);
                let node = group.node(index);
                nodes.clear();
                if let Some(bytes) = self.code(node).and_then(|code| piece_of(code, piece)) {
                    tables.table(piece).nodes_near(bytes, &[0], &mut nodes);
                }
                if !nodes.contains(&node) {
                    findings.add(|| format!("piece {piece} of node {node} is not in its table"));
                }
            }
        }
        if groups != self.word_table().groups().count() {
            findings.add(|| "tables of pieces are missing".to_string());
        }
        findings.finish("the tables of pieces")
    }

    fn verify_reachability(&self, pause: Pause<'_>) -> Vec<String> {
        let mut reached = Visited::default();
        reached.reset(self.nodes());
        let mut stack = Vec::new();
        if reached.insert(0) {
            stack.push(0);
        }
        let mut visited = 0;
        while let Some(node) = stack.pop() {
            at_times(visited, pause);
            visited += 1;
            stack.extend_from_slice(reached.insert_all(self.links().neighbors(node, 0)));
        }
        let missing = self.nodes() as usize - reached.len();
        if missing == 0 {
            Vec::new()
        } else {
            vec![format!("{missing} nodes cannot be reached from node 0")]
        }
    }
}
