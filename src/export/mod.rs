//! Samples for other programs.
//!
//! | module | what it is for |
//! |---|---|
//! | [`json`] | a line of JSON for a run, and one for each sample |
//! | [`script`] | a line of JSON for each thing that a script prints |

pub mod json;
pub mod script;
