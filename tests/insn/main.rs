//! The instruction set, against what it did not make itself: bytes written by hand, the kernel's
//! own listing, llvm's assembler and disassembler. Then what must hold of any program.

mod builder;
mod bytes;
mod compile_fail;
mod forms;
mod kernel;
mod llvm;
mod parse;
mod properties;
mod registers;
mod rfc9669;
mod rows;
