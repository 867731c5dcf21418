//! The eBPF instruction set.
