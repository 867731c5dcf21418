//! Pictures: data in, text out.
//!
//! | module | what it is for |
//! |---|---|
//! | [`histogram`] | counts in powers of two, as the kernel's first BPF tools drew them |
//! | [`frequency`] | counts by name |
//! | [`duration`] | how an interval is written |

pub mod duration;
pub mod frequency;
pub mod histogram;
