//! Samples for other programs.
//!
//! | module | what it is for |
//! |---|---|
//! | [`json`] | a line of JSON for a run, and one for each sample |

pub mod json;
