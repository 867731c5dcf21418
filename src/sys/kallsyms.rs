//! The kernel's symbols.

use std::ops::ControlFlow;
use std::path::Path;

use super::{FileError, file};

const KALLSYMS: &str = "/proc/kallsyms";

/// A symbol of the kernel or of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelSymbol<'a> {
    /// Its address; 0 if the kernel hides it (kernel.kptr_restrict, or not root).
    pub address: u64,
    /// Its kind as nm(1) prints it: `T` or `t` for functions.
    pub kind: u8,
    /// Its name.
    pub name: &'a str,
    /// The module it is in; `None` for the kernel itself.
    pub module: Option<&'a str>,
}

impl<'a> KernelSymbol<'a> {
    /// Whether it is code.
    pub fn is_text(&self) -> bool {
        matches!(self.kind, b'T' | b't' | b'W' | b'w')
    }

    /// Parses a line, `ffffffff81000000 T name [module]`; None if it makes no sense.
    pub fn parse(line: &'a [u8]) -> Option<KernelSymbol<'a>> {
        let mut parts = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let address = u64::from_str_radix(parts.next()?, 16).ok()?;
        let &[kind] = parts.next()?.as_bytes() else {
            return None;
        };
        let name = parts.next()?;
        let module = parts.next().and_then(|module| module.strip_prefix('[')?.strip_suffix(']'));
        Some(KernelSymbol { address, kind, name, module })
    }
}

/// Calls `symbol` with each symbol until it breaks. All of them cost tens of milliseconds, since the kernel
/// writes the list while it is read. Lines that make no sense are skipped.
pub fn for_each<B>(
    mut symbol: impl FnMut(KernelSymbol<'_>) -> ControlFlow<B>,
) -> Result<Option<B>, FileError> {
    file::for_each_line(Path::new(KALLSYMS), |line| {
        KernelSymbol::parse(line).map_or(ControlFlow::Continue(()), &mut symbol)
    })
}

/// The number of functions with this name. If there are several, the kernel probes none of them (Linux 6.7)
/// or the first.
pub fn count_functions(name: &str) -> Result<usize, FileError> {
    let mut count = 0;
    file::for_each_line(Path::new(KALLSYMS), |line| {
        // For most lines it is enough to search for the name.
        if memchr::memmem::find(line, name.as_bytes()).is_some() {
            count += usize::from(
                KernelSymbol::parse(line)
                    .is_some_and(|symbol| symbol.name == name && symbol.is_text()),
            );
        }
        ControlFlow::<()>::Continue(())
    })?;
    Ok(count)
}

/// The modules that have a function with this name, each once, in the order of the list; `None` is the kernel
/// itself.
pub fn modules_with(name: &str) -> Result<Vec<Option<String>>, FileError> {
    let mut modules = vec![];
    file::for_each_line(Path::new(KALLSYMS), |line| {
        // For most lines it is enough to search for the name.
        if memchr::memmem::find(line, name.as_bytes()).is_some()
            && let Some(symbol) = KernelSymbol::parse(line)
            && symbol.name == name
            && symbol.is_text()
        {
            let module = symbol.module.map(str::to_owned);
            if !modules.contains(&module) {
                modules.push(module);
            }
        }
        ControlFlow::<()>::Continue(())
    })?;
    Ok(modules)
}

/// The address of the first function with this name in a module; `None` if there is none, or the kernel hides
/// it.
pub fn address_in_module(module: &str, name: &str) -> Result<Option<u64>, FileError> {
    for_each(|symbol| match symbol.name == name && symbol.module == Some(module) {
        true if symbol.is_text() && symbol.address != 0 => ControlFlow::Break(symbol.address),
        _ => ControlFlow::Continue(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"ffffffff81000000 T _stext\nffffffff81000010 t twice\n0 d twice\nffffffffc0000000 t twice\t[mod]\nrubbish\n\xff\xfe\n";

    #[test]
    fn symbols_are_read() {
        let symbol = KernelSymbol::parse(b"ffffffffc0000000 t twice\t[mod]").unwrap();
        assert_eq!(
            symbol,
            KernelSymbol {
                address: 0xffff_ffff_c000_0000,
                kind: b't',
                name: "twice",
                module: Some("mod")
            }
        );
        assert_eq!(KernelSymbol::parse(b"0 T a").unwrap().module, None);
        for bad in [&b""[..], b"0", b"0 T", b"x T a", b"0 TT a", b"0 T \xff"] {
            assert_eq!(KernelSymbol::parse(bad), None);
        }
    }

    #[test]
    fn functions_of_one_name_are_counted() {
        let _files = file::hook::install(|_| Some(Ok(TEXT.to_vec())));
        assert_eq!(count_functions("twice").unwrap(), 2);
        assert_eq!(count_functions("_stext").unwrap(), 1);
        assert_eq!(count_functions("stext").unwrap(), 0);
    }

    #[test]
    fn the_modules_of_a_function_are_found() {
        let _files = file::hook::install(|_| Some(Ok(TEXT.to_vec())));
        assert_eq!(modules_with("twice").unwrap(), [None, Some("mod".to_owned())]);
        assert_eq!(modules_with("stext").unwrap(), []);
        assert_eq!(address_in_module("mod", "twice").unwrap(), Some(0xffff_ffff_c000_0000));
        assert_eq!(address_in_module("other", "twice").unwrap(), None);
    }

    #[test]
    fn the_walk_can_stop() {
        let _files = file::hook::install(|_| Some(Ok(TEXT.to_vec())));
        let address = for_each(|symbol| {
            if symbol.name == "twice" {
                ControlFlow::Break(symbol.address)
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(address.unwrap(), Some(0xffff_ffff_8100_0010));
    }
}
