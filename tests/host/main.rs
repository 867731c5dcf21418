//! The tools on this host's own kernel, as far as that goes: a disk of the test's own, requests of
//! known sizes, exact results.

mod bitehist;
mod disk;
mod funccount;
mod tool;
