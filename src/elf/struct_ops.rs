//! The structs of functions that an object's programs implement, as TCP's congestion control.

use goblin::elf::sym::{STT_FUNC, STT_OBJECT, STT_SECTION};

use super::Object;
use super::read::is_struct_ops;
use crate::btf::{Btf, TypeKind};
use crate::insn::Endian;

impl<'a> Object<'a> {
    /// The functions that such structs refer to, each with what it is: `tcp_congestion_ops.ssthresh`.
    pub fn struct_ops(&self, btf: &mut Btf<'a>) -> Vec<(&'a str, String)> {
        let is_one = |section: usize| {
            self.file.sections.get(section).is_some_and(|it| is_struct_ops(it.name))
        };
        let structs = self.symbols.iter().filter(|it| it.kind == STT_OBJECT && is_one(it.section));
        let structs: Vec<_> = structs.collect();
        let wanted: Vec<_> = structs.iter().map(|it| (TypeKind::Var, it.name)).collect();
        let found = btf.find_all(&wanted).unwrap_or_default();
        let mut functions = vec![];
        for (symbol, var) in structs.into_iter().zip(found) {
            let record = var.and_then(|(_, var)| btf.behind_modifiers(var.size_or_type()).ok());
            let Some((_, record)) = record else { continue };
            let name = String::from_utf8_lossy(record.name().unwrap_or_default()).into_owned();
            // What follows three underscores only tells versions of a struct apart.
            let name = name.split("___").next().unwrap_or_default();
            let end = symbol.value.saturating_add(symbol.size);
            let here = self.map_relocations.from(symbol.section, symbol.value);
            for (at, relocation) in here.take_while(|(at, _)| *at < end) {
                let bits = (at - symbol.value) * 8;
                let mut members = record.members();
                let member = members.find(|it| u64::from(it.bit_offset) == bits);
                let member = member.and_then(|it| it.name().ok()).map(String::from_utf8_lossy);
                if let (Some(function), Some(member)) =
                    (self.function_at(symbol.section, at, relocation), member)
                {
                    functions.push((function, format!("{name}.{member}")));
                }
            }
        }
        functions
    }

    /// The function that a pointer in a section refers to.
    fn function_at(&self, section: usize, at: u64, relocation: usize) -> Option<&'a str> {
        let target = self.symbols.get(self.map_targets[relocation])?;
        if target.kind != STT_SECTION {
            return Some(target.name);
        }
        let bytes = self.file.sections.get(section)?.bytes?;
        let bytes = *bytes.get(usize::try_from(at).ok()?..)?.first_chunk::<8>()?;
        let start = match self.endian {
            Endian::Little => u64::from_le_bytes(bytes),
            Endian::Big => u64::from_be_bytes(bytes),
        };
        self.named(target.section, start, STT_FUNC)
    }
}
