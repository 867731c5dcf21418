//! Parts of ELF files, of either class and byte order.

use std::io;

use goblin::elf::program_header::PT_LOAD;
use goblin::elf::section_header::{SHT_PROGBITS, SHT_STRTAB, SHT_SYMTAB, SectionHeader};
use goblin::elf::sym::STT_FUNC;
use proptest::prelude::*;
use rawbpf::elf::{ExcerptError, File, excerpt};

/// Numbers in the order and of the size that a file has.
struct Bytes {
    wide: bool,
    little: bool,
    bytes: Vec<u8>,
}

impl Bytes {
    fn put(&mut self, value: u64, length: usize) {
        match self.little {
            true => self.bytes.extend(&value.to_le_bytes()[..length]),
            false => self.bytes.extend(&value.to_be_bytes()[8 - length..]),
        }
    }

    fn put_all<const N: usize>(&mut self, values: [(u64, usize); N]) {
        values.into_iter().for_each(|(value, length)| self.put(value, length));
    }

    /// As long as an address.
    fn words<const N: usize>(&mut self, values: [u64; N]) {
        let length = if self.wide { 8 } else { 4 };
        values.into_iter().for_each(|value| self.put(value, length));
    }
}

const CODE: u64 = 4096;

/// An executable with a page of code, in which `main` is at the address 0x10010.
fn executable(wide: bool, little: bool) -> Vec<u8> {
    let (header, segment, section, symbol) = if wide { (64, 56, 64, 24) } else { (52, 32, 40, 16) };
    let names = b"\0.text\0.symtab\0.strtab\0main\0";
    let (segments, symbols) = (header + CODE, header + CODE + segment);
    let strings = symbols + 2 * symbol;
    let sections = strings + names.len() as u64;
    let mut file = Bytes { wide, little, bytes: vec![0x7f, b'E', b'L', b'F'] };
    file.bytes.extend([1 + u8::from(wide), 2 - u8::from(little), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.put_all([(2, 2), (62, 2), (1, 4)]);
    file.words([0x10010, segments, sections]);
    file.put(0, 4);
    file.put_all([header, segment, 1, section, 4, 3].map(|value| (value, 2)));
    file.bytes.resize((header + CODE) as usize, 0xcc);
    let (flags, at) = (5, [header, 0x10000, 0, CODE, CODE]);
    file.put(PT_LOAD.into(), 4);
    if wide {
        file.put(flags, 4);
    }
    file.words(at);
    if !wide {
        file.put(flags, 4);
    }
    file.words([4096]);
    file.bytes.resize((symbols + symbol) as usize, 0);
    file.put(23, 4);
    if wide {
        file.put_all([(STT_FUNC.into(), 1), (0, 1), (1, 2), (0x10010, 8), (1, 8)]);
    } else {
        file.put_all([(0x10010, 4), (1, 4), (STT_FUNC.into(), 1), (0, 1), (1, 2)]);
    }
    file.bytes.extend(names);
    for (name, kind, offset, size, link, entry) in [
        (0, 0, 0, 0, 0, 0),
        (1, SHT_PROGBITS, header, CODE, 0, 0),
        (7, SHT_SYMTAB, symbols, 2 * symbol, 3, symbol),
        (15, SHT_STRTAB, strings, names.len() as u64, 0, 0),
    ] {
        file.put(name, 4);
        file.put(kind.into(), 4);
        file.words([0, 0, offset, size]);
        file.put_all([(link, 4), (0, 4)]);
        file.words([1, entry]);
    }
    file.bytes
}

/// As a file is read, and how much of it was.
fn of(
    file: &[u8],
    most: u64,
    wanted: &dyn Fn(&str, &SectionHeader) -> bool,
) -> (Result<Vec<u8>, ExcerptError>, u64) {
    let mut read = 0;
    let result = excerpt(file.len() as u64, most, wanted, &mut |offset, buffer| {
        read += buffer.len() as u64;
        let part = file.get(offset as usize..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    });
    (result, read)
}

fn is_symbols(_: &str, header: &SectionHeader) -> bool {
    header.sh_type == SHT_SYMTAB
}

#[test]
fn an_excerpt_has_what_is_asked_for_and_little_else() {
    for (wide, little) in [(true, true), (true, false), (false, true), (false, false)] {
        let file = executable(wide, little);
        let (parts, read) = of(&file, 1 << 20, &is_symbols);
        let parts = parts.unwrap();
        assert!(read < 700 && parts.len() < 700, "{read} and {}", parts.len());
        let elf = File::parse(&parts).unwrap();
        let symbols = elf.symbols(SHT_SYMTAB).unwrap();
        let main = symbols.iter().find(|symbol| symbol.name == "main").unwrap();
        assert_eq!((main.value, main.section, main.kind), (0x10010, 1, STT_FUNC));
        let segments = elf.segments().unwrap();
        assert_eq!((segments[0].p_vaddr, segments[0].p_filesz), (0x10000, CODE));
        assert!(segments[0].is_executable());
        let names: Vec<_> = elf.sections.iter().map(|section| section.name).collect();
        assert_eq!(names, ["", ".text", ".symtab", ".strtab"]);
        assert_eq!(elf.section(".text"), None);
        let (named, _) = of(&file, 1 << 20, &|name, _| name == ".text");
        let named = named.unwrap();
        let code = File::parse(&named).unwrap().section(".text").map(<[u8]>::to_vec);
        assert_eq!(code, Some(vec![0xcc; CODE as usize]));
    }
}

#[test]
fn an_excerpt_of_a_real_program_has_the_same_symbols() {
    let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let (parts, read) = of(&file, file.len() as u64, &is_symbols);
    assert!(read < file.len() as u64 / 2, "{read} of {}", file.len());
    let parts = parts.unwrap();
    let [whole, parts] = [&file, &parts].map(|bytes| File::parse(bytes).unwrap());
    let told = |file: &File| {
        let symbols = file.symbols(SHT_SYMTAB).unwrap().into_iter();
        symbols.map(|symbol| (symbol.name.to_owned(), symbol.value)).collect::<Vec<_>>()
    };
    assert!(told(&whole) == told(&parts) && told(&whole).len() > 1000);
    assert_eq!(whole.segments().unwrap(), parts.segments().unwrap());
}

#[test]
fn more_than_may_be_read_is_an_error_that_says_how_much_that_is() {
    let mut file = executable(true, true);
    // The symbols are said to have 3 MiB, and the file has as many.
    let size = file.len() - 2 * 64 + 0x20;
    file[size..size + 8].copy_from_slice(&(3u64 << 20).to_le_bytes());
    file.resize(4 << 20, 0);
    let (error, read) = of(&file, 2 << 20, &is_symbols);
    assert_eq!(error.unwrap_err().to_string(), "its tables have more than 2 MiB");
    assert!(read < 1 << 20, "{read}");
    assert!(of(&file, 4 << 20, &is_symbols).0.is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any damage to the header and to the tables, and any end.
    #[test]
    fn no_damage_makes_an_excerpt_larger_than_it_may_be(
        (wide, little) in any::<(bool, bool)>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut file = executable(wide, little);
        let (head, code) = (if wide { 64 } else { 52 }, CODE as usize);
        for (index, byte) in changes {
            let at = index.index(file.len() - code);
            file[if at < head { at } else { at + code }] = byte;
        }
        if !whole {
            file.truncate(end.index(file.len()));
        }
        let (parts, read) = of(&file, 1 << 14, &|_, _| true);
        prop_assert!(read <= 1 << 14);
        if let Ok(parts) = parts
            && let Ok(elf) = File::parse(&parts)
        {
            let _ = (elf.symbols(SHT_SYMTAB), elf.segments());
        }
    }
}
