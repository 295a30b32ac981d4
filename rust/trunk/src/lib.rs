//! The trunk: messages between a head and a station, over a carrier that may lose, repeat, delay and reorder blobs.
//!
//! ```text
//! push ──> [unacknowledged, by number] ──take──> blob ══ carrier ══> accept ──> each message once, in order
//! ```
//!
//! Pure: no I/O, clock or thread. Whoever drives it says when an exchange has failed (`rewind`). It knows neither what
//! messages mean nor who carries them. An *incarnation* is one life of a station: a blob of another one is refused, so
//! nothing of a station that was given up for lost can count.
mod blob;
mod end;

pub use blob::{Message, TrunkError};
pub use end::End;
