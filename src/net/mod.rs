//! What leaves a run by sockets, without a thread: each part has one descriptor that is readable when there
//! is something to do, and never waits itself.
//!
//! | module | what it is for |
//! |---|---|
//! | [`push`] | requests by HTTP to one address |
//! | [`server`] | a page for whoever asks for it by HTTP |

pub mod push;
pub mod server;
mod ticker;
