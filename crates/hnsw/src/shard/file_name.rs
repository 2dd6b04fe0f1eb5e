//! Names of shard files.
//!
//! `<tablespace>_<database>_<relation>_<id>.usearch`: which relation's metapage has to list the id. So an orphan can be
//! told without opening the file. The id, not the relation's number, is the identity: numbers are reused.

use std::fmt;

const SUFFIX: &str = ".usearch";

/// What the name of a published shard says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ShardName {
    /// Tablespace of the index.
    pub tablespace: u32,
    /// Database of the index.
    pub database: u32,
    /// Number of the index's files.
    pub relation: u32,
    /// Identity of the shard.
    pub id: [u8; 16],
}

impl ShardName {
    /// Understands a file name; `None` for one that [`fmt::Display`] would not have written.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(SUFFIX)?.split('_');
        let mut number = || parts.next()?.parse().ok();
        let (tablespace, database, relation) = (number()?, number()?, number()?);
        let id = u128::from_str_radix(parts.next()?, 16).ok()?.to_be_bytes();
        let parsed = ShardName {
            tablespace,
            database,
            relation,
            id,
        };
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u128::from_be_bytes(self.id);
        let Self {
            tablespace,
            database,
            relation,
            ..
        } = self;
        write!(f, "{tablespace}_{database}_{relation}_{id:032x}{SUFFIX}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for id in [[0; 16], [0xab; 16], [0xff; 16]] {
            let name = ShardName {
                tablespace: 1663,
                database: 5,
                relation: u32::MAX,
                id,
            };
            let text = name.to_string();
            assert_eq!(ShardName::parse(&text), Some(name));
            // tar, and so pg_basebackup, takes 99 bytes of path at most.
            assert!("iscc_usearch/".len() + text.len() + 2 * "4294967295".len() < 99);
        }
    }

    #[test]
    fn foreign_names() {
        let id = "00000000000000000000000000000001";
        let good = format!("1_2_3_{id}.usearch");
        assert!(ShardName::parse(&good).is_some());
        for foreign in [
            "".to_string(),
            "pgsql_tmp_1".to_string(),
            "1_2_3_4.usearch".to_string(),
            "1_2_3.usearch".to_string(),
            format!("01_2_3_{id}.usearch"),
            format!("+1_2_3_{id}.usearch"),
            format!("1_2_3_{id}_4.usearch"),
            format!("1_2_3_{id}.usearch~"),
            format!("1_2_99999999999_{id}.usearch"),
            format!("1_2_3_F{}.usearch", &id[1..]),
        ] {
            assert_eq!(ShardName::parse(&foreign), None, "{foreign}");
        }
    }
}
