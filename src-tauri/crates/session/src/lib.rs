//! The client end of a Realtime conversation, without I/O: it takes what happened and when, and queues what must be done.
//!
//! Never reads a clock, a socket, a device or a file, never spawns, and cannot fail: wrong input is ignored or
//! becomes a notice. Drain [`Session::poll`] to `None` after every [`Session::handle`]. Start reading at
//! [`Session`], then `playout` (received against heard) and `responses` (one at a time).

mod connection;
mod conversation;
mod echo_ladder;
mod input;
mod latency;
mod playout;
mod preview;
mod responses;
mod session;
mod tones;
mod tools;
mod usage;
mod view;

pub use connection::Phase;
pub use input::{Action, Config, Input, Interrupt, LinkEnd, Loudness, Output, SegmentId, Turns, Voice};
pub use latency::LatencyView;
pub use session::{Session, UNCONFIRMED};
pub use tones::{TONES, Tone, tone};
pub use tools::ToolSpec;
pub use usage::{ModelPrice, Prices, TranscriptionPrice, UsageView};
pub use view::{
    AgentState, EchoState, EchoView, FindingView, Grade, ItemState, ItemView, LoadingView, ModelState, ModelView,
    NoticeAction, NoticeView, Severity, SoundCheckStage, SoundCheckView, Speaker, StatusView, ToolState, ToolView,
    View, ViewEvent,
};

#[cfg(test)]
mod tests;
