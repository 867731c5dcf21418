//! Programs that are loaded in this kernel.

use std::fmt;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;

use clap::Args;

use super::maps;
use crate::btf::Btf;
use crate::cli::options::whole;
use crate::cli::stop::Stop;
use crate::elf::clean;
use crate::error::Error;
use crate::host::refusal;
use crate::insn::translated::{Kernel, translated};
use crate::insn::{Endian, Slot};
use crate::order::PutInOrder;
use crate::sys::code::{ProgCode, code};
use crate::sys::object::{self, MapInfo, ObjectKind, ProgInfo};
use crate::sys::{self, Errno, Prog, ProgramType, SysError, file, kallsyms};
use crate::view::dump::{Dump, DumpLine, DumpRow, Format, Origin, hex_lines};

/// Selects programs that are loaded in the kernel.
#[derive(Args, Debug)]
#[group(id = "loaded", conflicts_with_all = ["what", "endian"])]
pub struct Loaded {
    /// The loaded program with this id, as the verifier rewrote it
    #[arg(long, value_name = "ID", group = "which", value_parser = whole(0..=u32::MAX))]
    id: Option<u32>,

    /// The loaded programs with this tag, 16 hexadecimal digits
    #[arg(long, value_name = "TAG", group = "which")]
    tag: Option<String>,

    /// The loaded programs with this name
    #[arg(long, value_name = "NAME", group = "which")]
    name: Option<String>,

    /// Show the machine code instead, as hex or raw
    #[arg(long, requires = "which")]
    jit: bool,
}

impl Loaded {
    fn matches(&self, program: &ProgInfo) -> bool {
        let tag: String = program.tag.iter().map(|byte| format!("{byte:02x}")).collect();
        // The kernel keeps 15 bytes of a name.
        let cut = |name: &str| name.get(..15).unwrap_or(name) == program.name;
        self.tag.as_ref().is_some_and(|wanted| wanted.eq_ignore_ascii_case(&tag))
            || self.name.as_ref().is_some_and(|name| cut(name))
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tag, &self.name) {
            (Some(tag), _) => write!(f, "tag {tag}"),
            (_, Some(name)) => write!(f, "name {name}"),
            _ => Ok(()),
        }
    }
}

/// Prints the programs that are meant: instructions, or machine code.
///
/// # Errors
/// There is none, it may not be looked at, or the output could not be written.
pub fn dump(out: &mut dyn Write, which: &Loaded, format: Option<Format>) -> Result<(), Stop> {
    let programs = find(which)?;
    for (info, program) in &programs {
        let code = code(program).map_err(|error| refusal::objects(&error))?;
        if which.jit {
            machine(out, info, &code, format)?;
        } else {
            shown(info, program, &code)?.print(out, format.unwrap_or(Format::Linum))?;
        }
    }
    Ok(())
}

/// The programs with this id, tag or name.
fn find(which: &Loaded) -> Result<Vec<(ProgInfo, Prog)>, Error> {
    let refused = |error: SysError| refusal::objects(&error);
    let open = |id| {
        let program = Prog::from_id(id)?;
        object::prog_info(program.as_fd()).map(|info| (info, program))
    };
    if let Some(id) = which.id {
        return match open(id) {
            Ok(program) => Ok(vec![program]),
            Err(error) if error.errno == Errno::ENOENT => {
                Err(Error::failed(format!("this kernel has no program with the id {id}")))
            }
            Err(error) => Err(refused(error)),
        };
    }
    let mut found = vec![];
    for id in object::ids(ObjectKind::Prog) {
        match open(id.map_err(refused)?) {
            Ok(program) if which.matches(&program.0) => found.push(program),
            Ok(_) => {}
            // It went while we looked.
            Err(error) if error.errno == Errno::ENOENT => {}
            Err(error) => return Err(refused(error)),
        }
    }
    match found[..] {
        [] => Err(Error::failed(format!("this kernel has no program with the {which}"))),
        _ => Ok(found),
    }
}

fn shown(info: &ProgInfo, program: &Prog, code: &ProgCode) -> Result<Dump, Error> {
    if code.translated.is_empty() {
        return Err(withheld(info, "instructions"));
    }
    let refused = |error: SysError| refusal::objects(&error);
    let maps = maps(program).map_err(refused)?;
    let blob = match info.btf_id {
        0 => vec![],
        id => {
            sys::LoadedBtf::from_id(id).and_then(|btf| object::btf_bytes(&btf)).map_err(refused)?
        }
    };
    let mut btf = Btf::parse(&blob).ok();
    let hidden =
        "; calls have no names: the kernel hides its addresses (kernel.kptr_restrict, CAP_SYSLOG)";
    let names = KernelNames { maps: &maps, code, symbols: symbols(code) };
    let insns = translated(&code.translated, &names).map_err(|e| Error::failed(e.to_string()))?;
    let mut lines = code.lines.iter().peekable();
    let mut source = None;
    let rows = insns.into_iter().map(|insn| {
        let slot = insn.slot as u32;
        while let Some(line) = lines.next_if(|line| line.slot <= slot) {
            let string = |at| btf.as_ref().and_then(|btf| btf.string(at).ok()).map(clean);
            source = string(line.file)
                .zip(string(line.text))
                .map(|(file, text)| Rc::new(DumpLine { file, line: line.number, text }));
        }
        let function = code.functions.iter().find(|function| function.slot == slot);
        let label = function.and_then(|function| {
            let record = btf.as_mut()?.by_id(function.type_id).ok()?;
            Some(clean(record.name().ok()?))
        });
        let text = insn.text.unwrap_or_else(|| "<unknown>".into());
        DumpRow {
            slot: insn.slot,
            insn: insn.insn.ok(),
            text,
            note: None,
            directives: vec![],
            label,
            source: source.clone(),
            before: String::new(),
            behind: String::new(),
        }
    });
    let rows = rows.collect();
    let kind = ProgramType::from_raw(info.program_type).map_or("unknown", ProgramType::name);
    let tag: String = info.tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let ProgInfo { id, name, .. } = info;
    let mut directives = vec![
        format!("; id {id}, tag {tag}, made by the verifier from the program that was loaded"),
        format!(".program {name} {kind}"),
    ];
    directives.extend(names.symbols.base.is_none().then(|| hidden.to_owned()));
    let maps = maps.iter().map(|map| maps::of_loaded(map, name_of(map, &maps)));
    Ok(Dump {
        name: name.clone(),
        origin: Origin::Kernel { id: *id, tag, program_type: kind.to_owned() },
        directives,
        maps: maps.collect(),
        shows_maps: true,
        rows,
        end: String::new(),
        bytes: code.translated.clone(),
        endian: Endian::HOST,
        wrong: vec![],
    })
}

/// The machine code: its bytes in hexadecimal below the name of each function, or as they are.
fn machine(
    out: &mut dyn Write,
    info: &ProgInfo,
    code: &ProgCode,
    format: Option<Format>,
) -> Result<(), Stop> {
    if info.jited_len == 0 {
        return Err(Error::lacking(format!(
            "program {} is interpreted: it has no machine code",
            info.id
        ))
        .hint(refusal::no_jit())
        .into());
    }
    if code.machine.is_empty() {
        return Err(withheld(info, "machine code").into());
    }
    match format {
        Some(Format::Raw) => out.write_all(&code.machine)?,
        None | Some(Format::Hex) => {
            let symbols = symbols(code);
            let mut rest = &code.machine[..];
            for (index, length) in code.function_lengths.iter().enumerate() {
                let address = code.function_addresses.get(index).copied().unwrap_or_default();
                let name = symbols.at(address);
                writeln!(out, "{}:", name.map_or(info.name.as_str(), String::as_str))?;
                let (function, others) = rest.split_at((*length as usize).min(rest.len()));
                hex_lines(out, function, 16)?;
                rest = others;
            }
        }
        Some(_) => {
            return Err(Error::usage("machine code is shown as hex or raw only").into());
        }
    }
    Ok(())
}

fn withheld(info: &ProgInfo, what: &str) -> Error {
    let what = format!("the kernel withholds the {what} of program {}", info.id);
    let restrict = file::read_text(Path::new("/proc/sys/kernel/kptr_restrict"));
    match restrict.as_deref().map(str::trim) {
        Ok("2") => Error::lacking(format!("{what}: kernel.kptr_restrict is 2"))
            .hint("try: sudo sysctl kernel.kptr_restrict=1"),
        _ => Error::lacking(format!("{what}: CAP_SYSLOG is missing")).hint("try: sudo"),
    }
}

/// What the instructions refer to.
struct KernelNames<'a> {
    maps: &'a [MapInfo],
    code: &'a ProgCode,
    symbols: Symbols,
}

impl Kernel for KernelNames<'_> {
    fn map(&self, id: i32) -> String {
        let map = self.maps.iter().find(|map| map.id == id as u32);
        map.map_or_else(|| format!("id:{id}"), |map| name_of(map, self.maps))
    }

    fn function(&self, constant: i32) -> Option<String> {
        let address = self.symbols.base?.wrapping_add_signed(constant.into());
        self.symbols.at(address).cloned()
    }

    fn subprogram(&self, number: i32) -> Option<String> {
        let address = self.code.function_addresses.get(usize::try_from(number).ok()?)?;
        let name = self.symbols.at(*address);
        Some(name.cloned().unwrap_or_else(|| format!("{address:#x}")))
    }
}

/// Its name, or its id where it has none or another has the same.
fn name_of(map: &MapInfo, all: &[MapInfo]) -> String {
    let same = all.iter().filter(|other| other.name == map.name).count();
    match (map.name.as_str(), same) {
        ("", _) => format!("id:{}", map.id),
        (name, 1) => name.to_owned(),
        (name, _) => format!("{name}.{}", map.id),
    }
}

fn maps(program: &Prog) -> Result<Vec<MapInfo>, SysError> {
    let ids = object::prog_map_ids(program)?;
    let info = |id| object::map_info(object::open(ObjectKind::Map, id)?.as_fd());
    ids.into_iter().map(info).collect()
}

/// The kernel's functions that a program calls, and where it keeps the program's own.
#[derive(Default)]
struct Symbols {
    /// What calls count from.
    base: Option<u64>,
    /// By rising address.
    names: Vec<(u64, Option<String>)>,
}

impl Symbols {
    fn at(&self, address: u64) -> Option<&String> {
        let found = self.names.binary_search_by_key(&address, |(address, _)| *address).ok()?;
        self.names[found].1.as_ref()
    }
}

/// Reads /proc/kallsyms twice: calls count from a symbol in the midst of it.
fn symbols(code: &ProgCode) -> Symbols {
    let base = kallsyms::for_each(|symbol| match symbol.name {
        "__bpf_call_base" if symbol.address != 0 => ControlFlow::Break(symbol.address),
        _ => ControlFlow::Continue(()),
    });
    let Ok(Some(base)) = base else {
        return Symbols::default();
    };
    let calls = code.translated.as_chunks::<8>().0.iter().filter(|slot| slot[0] == 0x85);
    let calls = calls.map(|slot| Slot::from_bytes(*slot, Endian::HOST).imm.into());
    let mut wanted: Vec<u64> = code.function_addresses.clone();
    wanted.extend(calls.map(|constant| base.wrapping_add_signed(constant)));
    wanted.order();
    wanted.dedup();
    let mut names: Vec<_> = wanted.into_iter().map(|address| (address, None)).collect();
    // What was found before an error is found.
    let _ = kallsyms::for_each(|symbol| {
        if let Ok(found) = names.binary_search_by_key(&symbol.address, |(address, _)| *address) {
            names[found].1.get_or_insert_with(|| symbol.name.to_owned());
        }
        ControlFlow::<()>::Continue(())
    });
    Symbols { base: Some(base), names }
}
