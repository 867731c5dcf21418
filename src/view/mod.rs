//! Pictures: data in, text out.
//!
//! | module | what it is for |
//! |---|---|
//! | [`histogram`] | counts in powers of two, as the kernel's first BPF tools drew them |
//! | [`summary`] | count, average, extremes and percentiles of a distribution |
//! | [`duration`] | how an interval is written |

pub mod duration;
pub mod histogram;
pub mod summary;
