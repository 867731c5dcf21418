//! CO-RE relocations: what an object asks of the types of the kernel and its modules.

use std::collections::HashMap;

use crate::btf::{Btf, BtfError, Relocation, Resolved};
use crate::elf::{Relocated, clean};
use crate::error::Error;
use crate::host::KernelTypes;

/// The largest number of types that an object may ask for; each costs a search through the kernel's.
const TYPES_MAX: usize = 1 << 12;

/// Answers relocations, and remembers what was looked up.
pub struct Relocator<'t> {
    types: &'t KernelTypes,
    /// The kernel's own types, then those of the modules that were needed.
    all: Vec<Btf<'t>>,
    /// The modules of `all`, in their order.
    pub modules: Vec<String>,
    /// By type of the object: which types it may mean, and whose they are.
    candidates: HashMap<u32, (usize, Vec<u32>)>,
    /// What the kernel does not have, in words.
    pub missing: Vec<String>,
    /// Why the kernel's types could not be read.
    pub broken: Option<Error>,
}

impl<'t> Relocator<'t> {
    /// For these types of a kernel, which are read when the first question is asked.
    pub fn new(types: &'t KernelTypes) -> Relocator<'t> {
        let candidates = HashMap::new();
        Relocator { types, all: vec![], candidates, modules: vec![], missing: vec![], broken: None }
    }

    /// Answers a relocation of an object with these types.
    pub fn relocate(
        &mut self,
        object: Option<&mut Btf<'_>>,
        relocation: &Relocation<'_>,
    ) -> Relocated {
        self.read_kernel()?;
        let Some(object) = object else { return Err("the object has no BTF".into()) };
        let resolved = self.resolve(object, relocation);
        let asked = clean(object.describe(relocation).unwrap_or_default().as_bytes());
        match resolved {
            Ok(resolved) => {
                if resolved.value.is_none() {
                    self.missing.push(asked);
                }
                Ok(resolved)
            }
            Err(error) => Err(format!("{asked}: {error}")),
        }
    }

    fn read_kernel(&mut self) -> Result<(), String> {
        if self.all.is_empty() {
            match self.types.btf() {
                Ok(kernel) => self.all.extend(kernel),
                Err(error) => self.broken = Some(error),
            }
        }
        match self.all.is_empty() {
            true => {
                Err("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF); --btf FILE takes another's"
                    .into())
            }
            false => Ok(()),
        }
    }

    fn read_modules(&mut self) {
        if self.all.len() == 1 {
            for module in self.types.modules() {
                if let Ok(Some(types)) = self.types.btf_of_module(&module) {
                    self.all.push(types);
                    self.modules.push(module);
                }
            }
        }
    }

    /// Hands out the kernel's types, 0, and then those of its modules, until it is enough.
    pub fn each(
        &mut self,
        is_enough: &mut dyn FnMut(u16, &mut Btf<'t>) -> bool,
    ) -> Result<(), String> {
        self.read_kernel()?;
        if is_enough(0, &mut self.all[0]) {
            return Ok(());
        }
        self.read_modules();
        for (place, types) in (1..).zip(&mut self.all[1..]) {
            if is_enough(place, types) {
                break;
            }
        }
        Ok(())
    }

    fn resolve(
        &mut self,
        object: &mut Btf<'_>,
        relocation: &Relocation<'_>,
    ) -> Result<Resolved, BtfError> {
        let id = relocation.type_id;
        if !self.candidates.contains_key(&id) {
            if self.candidates.len() == TYPES_MAX {
                return Err(BtfError::Endless(id));
            }
            let found = self.search(object, relocation)?;
            self.candidates.insert(id, found);
        }
        let (owner, ids) = &self.candidates[&id];
        object.resolve(relocation, &mut self.all[*owner], ids)
    }

    /// The types that a relocation may mean: the kernel's, or if it has none those of the first module that has.
    fn search(
        &mut self,
        object: &mut Btf<'_>,
        relocation: &Relocation<'_>,
    ) -> Result<(usize, Vec<u32>), BtfError> {
        let found = object.candidates(relocation, &mut self.all[0])?;
        if !found.is_empty() {
            return Ok((0, found));
        }
        self.read_modules();
        for (owner, module) in self.all.iter_mut().enumerate().skip(1) {
            let found = object.candidates(relocation, module)?;
            if !found.is_empty() {
                return Ok((owner, found));
            }
        }
        Ok((0, vec![]))
    }
}
