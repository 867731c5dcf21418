//! A text or an ELF object becomes programs and the maps that they share.
//!
//! | module | what it is for |
//! |---|---|
//! | [`text`] | programs from a text, in which the kernel's names are looked up |
//! | [`object`] | programs from an ELF object, as clang makes it |
//! | [`mod@write`] | an ELF object of programs, for libbpf |
//! | [`kind`] | the words by which texts and options say what a program is |
//! | [`hex`] | instructions that are written as bytes or in hexadecimal |
//!
//! ```no_run
//! use rawbpf::host::KernelTypes;
//!
//! let types = KernelTypes::running();
//! let bytes = std::fs::read("count.o")?;
//! for spec in rawbpf::source::read("count.o", &bytes, &types)?.programs {
//!     println!("{} is a {} program", spec.name, spec.kind);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod collection;
mod externs;
pub mod hex;
pub mod kind;
mod linked;
pub(crate) mod maps;
pub mod object;
mod relocate;
pub mod text;
pub mod write;

use crate::host::KernelTypes;
pub use collection::{
    Collection, LoadOptions, Loading, ProgramKind, ProgramSpec, SourceError, resolved,
};

/// Reads what a file of this name holds: a text, as [`text::read_linked`] does, or an ELF object.
///
/// # Errors
/// It is neither, or something in it is wrong, not known or missing.
pub fn read(file: &str, bytes: &[u8], types: &KernelTypes) -> Result<Collection, SourceError> {
    match bytes.starts_with(b"\x7fELF") {
        true => Ok(object::read(bytes, types).map_err(|error| error.prefix(file))?),
        false => text::read_linked(file, bytes, types),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::Endian;
    use crate::sys::{MapType, ProgramType};

    fn read(file: &str, bytes: &[u8]) -> Result<Collection, SourceError> {
        super::read(file, bytes, &KernelTypes::running())
    }

    const TEXT: &str = "\
.license \"GPL\"
.map hist array key 4 value 8 entries 64
.program drop xdp
r1 = map[hist]
r0 = 1
exit
.program seen kprobe vfs_read
r0 = 0
exit
";

    #[test]
    fn an_object_of_a_text_defines_what_the_text_does() {
        let text = read("two.bpf", TEXT.as_bytes()).unwrap();
        let object = read("two.o", &write::object(&text, Endian::HOST).unwrap()).unwrap();
        let kinds = [ProgramKind::Type(ProgramType::Xdp), ProgramKind::Attached("kprobe")];
        for defined in [&text, &object] {
            assert_eq!(defined.license.as_deref(), Some("GPL"));
            let maps = defined.maps.iter().map(|map| (map.name.as_str(), map.max_entries));
            assert_eq!(maps.collect::<Vec<_>>(), [("hist", 64)]);
            let programs = defined.programs.iter();
            let programs = programs.map(|it| (it.name.as_str(), it.kind, it.place.as_str()));
            let wanted = [("drop", kinds[0], ""), ("seen", kinds[1], "vfs_read")];
            assert_eq!(programs.collect::<Vec<_>>(), wanted);
        }
        for (one, other) in text.programs.iter().zip(&object.programs) {
            assert_eq!(one.program.insns(), other.program.insns());
        }
    }

    #[test]
    fn maps_whose_names_are_no_identifiers_keep_their_types_in_an_object() {
        let text = "\
.map .rodata array key 4 value 4 entries 7
.map a.b hash key 4 value 8 entries 5
.map a_b hash key 8 value 8 entries 6
.program a_b xdp
r1 = map[.rodata]
exit
";
        let text = read("it", text.as_bytes()).unwrap();
        let object = write::object(&text, Endian::HOST).unwrap();
        let maps = read("it", &object).unwrap().maps;
        let maps = maps.iter().map(|map| (map.name.as_str(), map.map_type, map.max_entries));
        let (array, hash) = (MapType::Array, MapType::Hash);
        let wanted = [("_rodata", array, 7), ("a_b_", hash, 5), ("a_b__", hash, 6)];
        assert_eq!(maps.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn a_program_without_a_name_is_called_as_its_file() {
        for (file, name) in [
            ("/tmp/two-ways.bpf", "two_ways"),
            ("7.bpf", "_7"),
            ("<stdin>", "program"),
            ("", "program"),
        ] {
            assert_eq!(read(file, b"r0 = 0\nexit\n").unwrap().programs[0].name, name, "{file}");
        }
    }

    #[test]
    fn what_is_neither_text_nor_an_object_is_an_error_with_the_name_of_the_file() {
        for bytes in [&b"\xff\xfe"[..], b"\x7fELF", b"r0 = hello\n"] {
            let error = read("it", bytes).unwrap_err().to_string();
            assert!(error.contains("it:"), "{error}");
        }
    }
}
