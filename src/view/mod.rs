//! Pictures: data in, text out.
//!
//! | module | what it is for |
//! |---|---|
//! | [`histogram`] | counts in powers of two, as the kernel's first BPF tools drew them |
//! | [`checks`] | what was looked for, and whether it is there |
//! | [`duration`] | how an interval is written |

pub mod checks;
pub mod duration;
pub mod histogram;
