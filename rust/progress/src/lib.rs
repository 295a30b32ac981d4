//! What a run shows of itself while it goes: counts (`tally`), words (`words`, `block`, `plain`), and the thread that
//! draws them on a terminal others write to as well (`screen`, `display`). Must not know Python, policies or values.
mod block;
mod display;
mod figures;
mod plain;
mod screen;
mod tally;
mod words;

pub use display::{Display, Mode, Options};
pub use figures::{Busy, Figures, FunctionFigures};
pub use tally::{Tally, GROUP};
