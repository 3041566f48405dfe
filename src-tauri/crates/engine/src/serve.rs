//! Ways to a [`crate::Host`]: standard streams for a parent process, a loopback WebSocket for any client.

mod stdio;
mod websocket;

pub use stdio::serve_stdio;
pub use websocket::{ServeError, Server};
