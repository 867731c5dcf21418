//! ELF objects of programs. Pure: values in, bytes out.

pub mod write;
