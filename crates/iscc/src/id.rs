//! ISCC-IDs, version 1: a realm, microseconds since 1970 and the hub that gave them.

use crate::base;
use crate::error::{Error, Kind, Result};
use crate::header::{HEADER_BYTES, Header, Main};
use crate::read::Iscc;

/// Bytes of an identifier.
pub const ID_BYTES: usize = 10;
/// Its time is below that many microseconds.
pub const MICROS_END: i64 = 1 << 52;
/// Hubs are below that.
pub const HUBS: i32 = 1 << 12;
/// Realms are below that.
pub const REALMS: i32 = 2;

/// An identifier: header and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id([u8; ID_BYTES]);

impl Id {
    /// Puts one together.
    pub fn new(realm: i32, micros: i64, hub: i32) -> Result<Id> {
        if !(0..HUBS).contains(&hub) {
            return Err(Error::combination(format!(
                "hub {hub} is not between 0 and {}",
                HUBS - 1
            )));
        }
        if !(0..MICROS_END).contains(&micros) {
            return Err(Error::combination("the time is not between 1970 and 2112"));
        }
        Id::from_body(realm, (micros as u64) << 12 | hub as u64)
    }

    /// An identifier of a realm with the 64 bits of a body.
    pub fn from_body(realm: i32, body: u64) -> Result<Id> {
        if !(0..REALMS).contains(&realm) {
            return Err(Error::combination(format!("there is no realm {realm}")));
        }
        let header = Header {
            main: Main::Id,
            sub: realm as u8,
            version: 1,
            length: 0,
        };
        let mut bytes = [0; ID_BYTES];
        bytes[..HEADER_BYTES].copy_from_slice(&header.bytes());
        bytes[HEADER_BYTES..].copy_from_slice(&body.to_be_bytes());
        Ok(Id(bytes))
    }

    /// Reads a text in any form.
    pub fn read(text: &[u8]) -> Result<Id> {
        Id::from_bytes(&base::decode(text)?).map_err(|error| error.of(Kind::Text))
    }

    /// Takes the ten bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Id> {
        let iscc = Iscc::from_bytes(bytes.to_vec()).map_err(|error| error.of(Kind::Bytes))?;
        let header = iscc.header();
        match <[u8; ID_BYTES]>::try_from(bytes) {
            Ok(bytes) if header.main == Main::Id && header.version == 1 => Ok(Id(bytes)),
            _ => Err(Error::bytes("it is not an ISCC-ID of version 1")),
        }
    }

    /// Takes ten bytes that had been an identifier.
    pub fn from_stored(bytes: [u8; ID_BYTES]) -> Id {
        Id(bytes)
    }

    /// The ten bytes.
    pub fn bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }

    /// The 64 bits of the body.
    pub fn body(&self) -> u64 {
        self.0[HEADER_BYTES..]
            .iter()
            .fold(0, |body, byte| body << 8 | u64::from(*byte))
    }

    /// The realm.
    pub fn realm(&self) -> i32 {
        i32::from(self.0[0] & 15)
    }

    /// Microseconds since 1970.
    pub fn micros(&self) -> i64 {
        (self.body() >> 12) as i64
    }

    /// The hub.
    pub fn hub(&self) -> i32 {
        (self.body() & (HUBS as u64 - 1)) as i32
    }

    /// What the order is by: time, hub, realm.
    pub fn key(&self) -> (u64, i32) {
        (self.body(), self.realm())
    }

    /// The canonical text.
    pub fn text(&self) -> String {
        base::encode(&self.0)
    }
}
