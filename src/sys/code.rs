//! A loaded program's code: its instructions, its machine code, and their source lines.

use std::os::fd::AsFd;

use super::attr::{self, address_mut, length};
use super::object::get_info;
use super::{Prog, SysError};

/// The code of a loaded program. A part that the kernel withholds is empty, although
/// [`ProgInfo`](super::object::ProgInfo) has its length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgCode {
    /// The instructions as the verifier rewrote them, 8 bytes for each slot. For a process that may not see
    /// the kernel's addresses (kernel.kptr_restrict), they are withheld if their constants were blinded;
    /// otherwise the constants of calls are 0.
    pub translated: Vec<u8>,
    /// The machine code of all functions, one after the other. Withheld from a process that may not see
    /// the kernel's addresses.
    pub machine: Vec<u8>,
    /// The length of each function's machine code in bytes.
    pub function_lengths: Vec<u32>,
    /// The address of each function; withheld like the machine code.
    pub function_addresses: Vec<u64>,
    /// The program's functions; empty without BTF.
    pub functions: Vec<CodeFunction>,
    /// The source lines of instructions, in the order of their slots; empty without BTF.
    pub lines: Vec<CodeLine>,
}

/// One of the program's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeFunction {
    /// Its first slot.
    pub slot: u32,
    /// Its id in the program's BTF.
    pub type_id: u32,
}

/// A source line of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeLine {
    /// The first slot of these instructions.
    pub slot: u32,
    /// The offset of the file's name in the BTF's strings.
    pub file: u32,
    /// The offset of the line's text in the BTF's strings.
    pub text: u32,
    /// Its number.
    pub number: u32,
    /// The column.
    pub column: u32,
}

/// A program's code. Requires Linux 5.0.
pub fn code(prog: &Prog) -> Result<ProgCode, SysError> {
    let fd = prog.as_fd();
    let mut has = attr::ProgInfo::default();
    // SAFETY: the info holds no address.
    unsafe { get_info(fd, &mut has) }?;
    let mut translated = vec![0; has.xlated_prog_len as usize];
    let mut machine = vec![0; has.jited_prog_len as usize];
    let mut function_lengths = vec![0u32; has.nr_jited_func_lens as usize];
    let mut function_addresses = vec![0u64; has.nr_jited_ksyms as usize];
    let mut functions = vec![[0u32; 2]; has.nr_func_info as usize];
    let mut lines = vec![[0u32; 4]; has.nr_line_info as usize];
    let mut info = attr::ProgInfo {
        xlated_prog_len: length(translated.len()),
        xlated_prog_insns: address_mut(&mut translated),
        jited_prog_len: length(machine.len()),
        jited_prog_insns: address_mut(&mut machine),
        nr_jited_func_lens: length(function_lengths.len()),
        jited_func_lens: address_mut(&mut function_lengths),
        nr_jited_ksyms: length(function_addresses.len()),
        jited_ksyms: address_mut(&mut function_addresses),
        func_info_rec_size: 8,
        nr_func_info: length(functions.len()),
        func_info: address_mut(&mut functions),
        line_info_rec_size: 16,
        jited_line_info_rec_size: 8,
        nr_line_info: length(lines.len()),
        line_info: address_mut(&mut lines),
        ..Default::default()
    };
    // SAFETY: it is a program, so that this is the info that the kernel fills in; each array that is
    // asked for has the length that is given, in records of the size that is given.
    unsafe { get_info(fd, &mut info) }?;
    // The kernel withholds an array by clearing its address.
    translated.truncate(if info.xlated_prog_insns == 0 { 0 } else { translated.len() });
    machine.truncate(if info.jited_prog_insns == 0 { 0 } else { machine.len() });
    function_addresses.truncate(if info.jited_ksyms == 0 { 0 } else { function_addresses.len() });
    Ok(ProgCode {
        translated,
        machine,
        function_lengths,
        function_addresses,
        functions: functions
            .iter()
            .map(|&[slot, type_id]| CodeFunction { slot, type_id })
            .collect(),
        lines: lines
            .iter()
            .map(|&[slot, file, text, at]| CodeLine {
                slot,
                file,
                text,
                number: at >> 10,
                column: at & 0x3ff,
            })
            .collect(),
    })
}
