//! The kernel's functions by their addresses.

use std::ops::ControlFlow;

use crate::sys::kallsyms;

/// All functions that the kernel shows, by address.
#[derive(Default)]
pub(super) struct Functions {
    /// Each with the place of its name.
    addresses: Vec<(u64, u32)>,
    /// The names, each with a zero after it.
    names: String,
}

impl Functions {
    /// Reads them, once they are needed: that takes tens of milliseconds. Without the privilege there are
    /// none.
    pub fn read() -> Functions {
        let mut functions = Functions::default();
        let _ = kallsyms::for_each(|symbol| {
            if symbol.is_text() && symbol.address != 0 {
                functions.addresses.push((symbol.address, functions.names.len() as u32));
                functions.names.push_str(symbol.name);
                functions.names.push('\0');
            }
            ControlFlow::<()>::Continue(())
        });
        functions.addresses.sort_by_key(|(address, _)| *address);
        functions
    }

    /// The function at an address, and how far that is from its start.
    pub fn at(&self, address: u64) -> Option<(String, u64)> {
        let after = self.addresses.partition_point(|(start, _)| *start <= address);
        let (start, name) = *self.addresses.get(after.checked_sub(1)?)?;
        let name = self.names[name as usize..].split('\0').next()?;
        Some((name.to_owned(), address - start))
    }
}
