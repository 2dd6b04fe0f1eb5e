//! Writing a finished shard of codes as a plain file of USearch, with the keys of its entries.
//!
//! A shard has one node per distinct code; USearch wants one per key. The entries of a code become a *group* of nodes:
//! the first is the node itself, the others, copies, follow after all nodes. On the base level the nodes of a group are
//! linked in rings, so that removing some of them leaves the rest together; the links of the node are shared out among
//! them, and so are the links to it. Whatever could be reached before can be reached through the group.

use std::io::{self, Write};

use iscc_metrics::Metric;
use iscc_metrics::bits::length_bytes;
use zerocopy::IntoBytes;

use super::builder::BuiltShard;
use crate::shard::RowFormat;
use crate::shard::format::GraphHeader;

/// Most links of a node to others of its group.
const MAX_RING_LINKS: usize = 8;
/// How much farther each ring's links reach than those of the ring before.
const RING_STEP: usize = 4;

/// The keys of the entries, by ordinal: those that were pushed had the ordinals from 0 on.
#[derive(Clone, Copy)]
pub enum Keys<'a> {
    /// 64 bits, unsigned.
    Numbers(&'a [u64]),
    /// 128 bits.
    Uuids(&'a [[u8; 16]]),
}

impl Keys<'_> {
    /// USearch's numbers for the kinds of keys and slots, and the bytes of a slot.
    fn kinds(self) -> (u8, u8, usize) {
        match self {
            Keys::Numbers(_) => (14, 15, 4),
            Keys::Uuids(_) => (3, 2, 5),
        }
    }

    fn put(self, ordinal: u32, record: &mut Vec<u8>) {
        let at = ordinal as usize;
        match self {
            Keys::Numbers(keys) => record.extend_from_slice(&keys[at].to_le_bytes()),
            Keys::Uuids(keys) => record.extend_from_slice(&keys[at]),
        }
    }
}

impl BuiltShard {
    /// Writes a file that USearch and iscc-usearch open, search and change. Rows of NPHD have a length byte; those of
    /// other metrics have none, so all codes must have the greatest length. Many small parts are written: `out` is
    /// buffered.
    ///
    /// # Errors
    /// Those of `out`; `InvalidInput` for vectors, and for codes that do not fit.
    ///
    /// # Panics
    /// If an ordinal has no key.
    pub fn write_usearch(&self, out: &mut impl Write, keys: Keys<'_>) -> io::Result<()> {
        let RowFormat::Codes { metric, max_bytes, .. } = self.parts.format else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let stride = self.parts.format.stride();
        let skipped = match metric {
            Metric::Nphd if length_bytes(max_bytes.into()) == 1 => 0,
            _ if self.has_length_only(max_bytes) => length_bytes(max_bytes.into()),
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        out.write_all(&self.entries().to_le_bytes())?;
        out.write_all(&((stride - skipped) as u32).to_le_bytes())?;
        self.rows
            .chunks_exact(stride)
            .try_for_each(|row| out.write_all(&row[skipped..]))?;
        for node in 0..self.nodes() {
            let row = &self.rows[node as usize * stride..][skipped..stride];
            (1..self.group_len(node)).try_for_each(|_| out.write_all(row))?;
        }
        let (key_kind, slot_kind, slot_bytes) = keys.kinds();
        let mut head = self.parts.format.head(self.entries());
        head.dimensions = ((stride - skipped) as u64 * 8).into();
        (head.key, head.slot) = (key_kind, slot_kind);
        out.write_all(head.as_bytes())?;
        self.write_plain_graph(out, keys, slot_bytes)
    }

    /// Whether all codes have this length.
    fn has_length_only(&self, bytes: u16) -> bool {
        let stated = bytes.to_le_bytes();
        let length = length_bytes(bytes.into());
        let mut rows = self.rows.chunks_exact(self.parts.format.stride());
        rows.all(|row| row[..length] == stated[..length])
    }

    fn write_plain_graph(&self, out: &mut impl Write, keys: Keys<'_>, slot_bytes: usize) -> io::Result<()> {
        let levels = self.levels();
        let mut header = GraphHeader::new(levels, self.params.m);
        header.nodes = u64::from(self.entries()).into();
        if self.entries() == 0 {
            // As USearch says it.
            header.max_level = u64::MAX.into();
        }
        out.write_all(header.as_bytes())?;
        for node in 0..self.nodes() {
            out.write_all(&(levels.level_of(node) as u16).to_le_bytes())?;
        }
        let copies = self.entries() - self.nodes();
        (0..copies).try_for_each(|_| out.write_all(&0u16.to_le_bytes()))?;
        let mut record = Record {
            bytes: Vec::new(),
            slot_bytes,
        };
        for node in 0..self.nodes() {
            let level = levels.level_of(node);
            self.put_base(&mut record, keys, node, 0, level as u16);
            for level in 1..=level {
                let slots = self.parts.graph.neighbors(node, level);
                record.put_list(slots, self.parts.graph.capacity(level));
            }
            out.write_all(&record.bytes)?;
        }
        for node in 0..self.nodes() {
            for member in 1..self.group_len(node) {
                self.put_base(&mut record, keys, node, member, 0);
                out.write_all(&record.bytes)?;
            }
        }
        Ok(())
    }

    /// Begins the record of a member of a group: key, level and links on the base level.
    fn put_base(&self, record: &mut Record, keys: Keys<'_>, node: u32, member: usize, level: u16) {
        record.bytes.clear();
        let first = self.postings.offsets[node as usize] as usize;
        keys.put(self.postings.ordinals[first + member], &mut record.bytes);
        record.bytes.extend_from_slice(&level.to_le_bytes());
        let capacity = self.parts.graph.capacity(0);
        let members = self.group_len(node);
        let mut slots: Vec<u32> = ring_links(member, members, MAX_RING_LINKS.min(capacity / 2))
            .map(|other| self.slot(node, other))
            .collect();
        let links: Vec<u32> = self.parts.graph.neighbors(node, 0).collect();
        let room = (capacity - slots.len()).min(links.len());
        // Each member begins where the one before ended: together they have all links.
        let own = (0..room).map(|n| links[(member * room + n) % links.len()]);
        slots.extend(own.map(|to| self.slot(to, (node as usize + member) % self.group_len(to))));
        record.put_list(slots.into_iter(), capacity);
    }

    /// Entries with the code of a node.
    fn group_len(&self, node: u32) -> usize {
        let at = node as usize;
        (self.postings.offsets[at + 1] - self.postings.offsets[at]) as usize
    }

    /// The slot of a member of a group.
    fn slot(&self, node: u32, member: usize) -> u32 {
        match member {
            0 => node,
            // Each node before has an entry that is no copy.
            _ => self.nodes() + self.postings.offsets[node as usize] - node + member as u32 - 1,
        }
    }
}

/// The members of a group that one of them has links to: those at growing distances on both sides.
fn ring_links(member: usize, members: usize, limit: usize) -> impl Iterator<Item = usize> {
    let steps = std::iter::successors(Some(1), |step| Some(step * RING_STEP)).take_while(move |step| *step < members);
    let mut seen = vec![member];
    steps
        .flat_map(move |step| [(member + step) % members, (member + members - step) % members])
        .filter(move |other| {
            let is_new = !seen.contains(other);
            seen.push(*other);
            is_new
        })
        .take(limit)
}

/// The bytes of a node record.
struct Record {
    bytes: Vec<u8>,
    slot_bytes: usize,
}

impl Record {
    fn put_list(&mut self, slots: impl ExactSizeIterator<Item = u32>, capacity: usize) {
        let end = self.bytes.len() + 4 + capacity * self.slot_bytes;
        self.bytes.extend_from_slice(&(slots.len() as u32).to_le_bytes());
        for slot in slots {
            self.bytes
                .extend_from_slice(&u64::from(slot).to_le_bytes()[..self.slot_bytes]);
        }
        self.bytes.resize(end, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::ring_links;

    #[test]
    fn rings_hold_together() {
        let many = if cfg!(miri) { 20 } else { 300 };
        for members in [1, 2, 3, 4, 5, 8, 9, many] {
            for limit in [2, 8] {
                let links = |member| ring_links(member, members, limit).collect::<Vec<_>>();
                assert!((0..members).all(|member| links(member).len() <= limit && !links(member).contains(&member)));
                // From the first, without each other one in turn, all the rest can be reached.
                for missing in 1..members {
                    let mut reached = vec![false; members];
                    (reached[0], reached[missing]) = (true, true);
                    let mut next = vec![0];
                    while let Some(member) = next.pop() {
                        for other in links(member) {
                            if !std::mem::replace(&mut reached[other], true) {
                                next.push(other);
                            }
                        }
                    }
                    assert!(
                        reached.iter().all(|reached| *reached),
                        "{members} members without {missing}"
                    );
                }
            }
        }
    }
}
