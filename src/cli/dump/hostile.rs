//! Files that somebody made to do harm: each gives an error or a text, soon and of bounded length.
//!
//! `PROPTEST_CASES=4000000000 cargo test hostile` goes on for as long as one likes.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::object::ObjectDump;
use crate::cli::select::Select;
use crate::elf::Object;
use crate::host::KernelTypes;
use crate::insn::Endian;
use crate::insn::translated::{Kernel, translated};
use crate::source::hex;
use crate::source::object::read;
use crate::view::dump::{Dump, Format};

const LITTLE: &[u8] = include_bytes!("../../../tests/dump/objects/all.o");
const BIG: &[u8] = include_bytes!("../../../tests/dump/objects/all-big.o");

/// Counts, and stops at what would fill a disk.
struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        assert!(self.0 < 64 << 20, "more than 64 MB are printed");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn print(shown: &Dump, out: &mut Counted) {
    for format in Format::value_variants() {
        shown.print(out, *format).unwrap();
    }
}

/// All of it in all formats, and made programs of.
#[track_caller]
fn dump(object: &[u8]) {
    let (start, mut out) = (Instant::now(), Counted(0));
    if let Ok(mut functions) = ObjectDump::new(object) {
        for (index, function) in functions.list(&Select::default()).unwrap().iter().enumerate() {
            if let Ok(shown) = functions.shown(function, index == 0, &Select::default()) {
                print(&shown, &mut out);
            }
        }
    }
    thread_local!(static TYPES: KernelTypes = KernelTypes::running());
    let _ = TYPES.with(|types| read(object, types));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// One way to change a file.
#[derive(Clone, Debug)]
enum Damage {
    Byte(Index, u8),
    Word(Index, u32),
    Long(Index, u64),
    CutOff(Index),
    Copy(Index, Index, usize),
}

fn changes() -> impl Strategy<Value = Vec<Damage>> {
    let near = prop_oneof![
        select(vec![0, 1, 2, 4, 7, 8, 16, 24, 64, 255, 4096, 7256, 0x7fff_ffff, 0xffff_ffff]),
        0..8192u64,
        any::<u64>(),
    ];
    let change = prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        4 => (any::<Index>(), near.clone()).prop_map(|(at, word)| Damage::Word(at, word as u32)),
        4 => (any::<Index>(), near).prop_map(|(at, long)| Damage::Long(at, long)),
        1 => any::<Index>().prop_map(Damage::CutOff),
        2 => (any::<Index>(), any::<Index>(), 1..200usize)
            .prop_map(|(from, to, length)| Damage::Copy(from, to, length)),
    ];
    vec(change, 1..8)
}

fn changed(mut file: Vec<u8>, changes: &[Damage]) -> Vec<u8> {
    for change in changes {
        if file.is_empty() {
            break;
        }
        let length = file.len();
        let put = |file: &mut Vec<u8>, at: usize, bytes: &[u8]| {
            // Tables are aligned, and so is what would do harm.
            let at = at / bytes.len() * bytes.len();
            let end = (at + bytes.len()).min(file.len());
            file[at..end].copy_from_slice(&bytes[..end - at]);
        };
        match change {
            Damage::Byte(at, byte) => file[at.index(length)] = *byte,
            Damage::Word(at, word) => put(&mut file, at.index(length), &word.to_le_bytes()),
            Damage::Long(at, long) => put(&mut file, at.index(length), &long.to_le_bytes()),
            Damage::CutOff(at) => file.truncate(at.index(length)),
            Damage::Copy(from, to, count) => {
                let from = from.index(length);
                let piece = file[from..(from + count).min(length)].to_vec();
                let to = to.index(length);
                let end = (to + piece.len()).min(length);
                file[to..end].copy_from_slice(&piece[..end - to]);
            }
        }
    }
    file
}

struct NoNames;

impl Kernel for NoNames {
    fn map(&self, id: i32) -> String {
        id.to_string()
    }

    fn function(&self, _: i32) -> Option<String> {
        None
    }

    fn subprogram(&self, _: i32) -> Option<String> {
        None
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn damaged_objects_end_in_an_error_or_a_text(
        object in select(vec![LITTLE, BIG]),
        changes in changes(),
    ) {
        dump(&changed(object.to_vec(), &changes));
    }

    #[test]
    fn any_bytes_are_listed(file in vec(any::<u8>(), 0..400), big in any::<bool>()) {
        let endian = if big { Endian::Big } else { Endian::Little };
        if let Ok(shown) = Dump::new("any", file.clone(), endian) {
            print(&shown, &mut Counted(0));
        }
        let _ = translated(&file, &NoNames);
    }

    #[test]
    fn instructions_that_jump_anywhere_are_drawn(
        slots in vec((select(vec![0x05u8, 0x06, 0x1d, 0x85, 0x18, 0x95, 0xe5, 0xb7]), -9..9i16), 0..60),
    ) {
        let bytes = slots.iter().flat_map(|(code, off)| {
            let low = if *code == 0x06 { i32::from(*off) } else { 0 };
            let off = if matches!(code, 0x05 | 0x1d | 0xe5) { *off } else { 0 };
            let [a, b] = off.to_le_bytes();
            let [c, d, e, f] = low.to_le_bytes();
            [*code, 0, a, b, c, d, e, f]
        });
        let shown = Dump::new("any", bytes.collect(), Endian::Little).unwrap();
        print(&shown, &mut Counted(0));
    }

    #[test]
    fn any_text_is_bytes_or_an_error(text in "[0-9a-fxX, \n\t]{0,200}|\\PC{0,60}") {
        if let Ok(bytes) = hex::read(text.clone().into()) {
            prop_assert!(bytes.len() <= text.len());
        }
    }
}

/// A table of `count` sections, each of them the whole file.
#[test]
fn sections_that_are_each_the_whole_file_are_refused() {
    let mut file = LITTLE.to_vec();
    let (start, count) = (file.len(), 3000u16);
    let first = u64::from_le_bytes(LITTLE[40..48].try_into().unwrap()) as usize;
    for _ in 0..count {
        // The second section, its place and size those of the file.
        let mut header = LITTLE[first + 64..first + 128].to_vec();
        header[24..32].fill(0);
        header[32..40].copy_from_slice(&(start as u64).to_le_bytes());
        file.extend(header);
    }
    file[40..48].copy_from_slice(&(start as u64).to_le_bytes());
    file[60..62].copy_from_slice(&count.to_le_bytes());
    assert_eq!(Object::parse(&file).err(), Some(crate::elf::ElfError::Overlap));
}

/// So many jumps over each other.
#[test]
fn a_long_program_is_drawn_in_time() {
    let start = Instant::now();
    let slots = (0..50_000u32).flat_map(|slot| {
        let [a, b] = ((slot % 977) as i16 - 300).to_le_bytes();
        [0x15, 1, a, b, 0, 0, 0, 0]
    });
    let shown = Dump::new("long", slots.collect(), Endian::Little).unwrap();
    let mut out = Counted(0);
    assert!(shown.print(&mut out, Format::Visual).is_ok());
    assert!(out.0 > 1 << 20);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}
