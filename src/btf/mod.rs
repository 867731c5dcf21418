//! BTF, the kernel's type information.
