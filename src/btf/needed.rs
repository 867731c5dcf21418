//! The part of an object's types that decides what the verifier says: those of its functions, of what is special
//! in its maps' values, and those that its CO-RE relocations name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::relocation::{TYPES, VALUES, steps};
use super::{Btf, BtfError, Relocation, TypeKind, written};

/// The structs that the kernel knows by their names in a value.
const SPECIAL: [&str; 10] = [
    "bpf_spin_lock",
    "bpf_res_spin_lock",
    "bpf_timer",
    "bpf_wq",
    "bpf_task_work",
    "bpf_list_head",
    "bpf_list_node",
    "bpf_rb_root",
    "bpf_rb_node",
    "bpf_refcount",
];
/// The attributes of pointers that the kernel knows in a value.
const POINTERS: [&str; 4] = ["kptr", "kptr_untrusted", "percpu_kptr", "uptr"];
/// The largest number of types; true objects need some dozens.
const TYPES_MAX: usize = 1 << 14;
/// The largest depth of structs in structs.
const DEPTH: u32 = 32;

/// How much of a type is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    /// Its name and size.
    Name,
    /// And what is special in it.
    Special,
    /// All of it.
    All,
}

/// The elements of a type that are needed, by index.
#[derive(Clone)]
enum Elements {
    Some(BTreeSet<u32>),
    All,
}

/// An attribute of a declaration.
struct Tag<'a> {
    id: u32,
    of: u32,
    /// The number of the member or parameter that it belongs to; `u32::MAX` for the whole.
    component: u32,
    text: &'a str,
}

/// Collects the types that are needed.
pub struct Needed<'b, 'a> {
    btf: &'b mut Btf<'a>,
    kept: BTreeMap<u32, Elements>,
    seen: HashSet<(u32, Part)>,
    special: HashMap<u32, bool>,
    tags: Vec<Tag<'a>>,
}

impl<'b, 'a> Needed<'b, 'a> {
    /// Of these types, none so far.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn of(btf: &'b mut Btf<'a>) -> Result<Needed<'b, 'a>, BtfError> {
        let (mut tags, mut at, mut id) = (vec![], 0, 1);
        while at < btf.types.len() {
            let record = btf.record(at)?;
            if record.kind() == TypeKind::DeclTag {
                let (of, component) = (record.size_or_type(), record.word(super::record::HEADER));
                tags.push(Tag { id, of, component, text: record.short_name() });
            }
            (at, id) = (at + record.len(), id + 1);
        }
        let (kept, seen, special) = (BTreeMap::new(), HashSet::new(), HashMap::new());
        Ok(Needed { btf, kept, seen, special, tags })
    }

    /// Adds the type of a map's key or value. Returns whether the kernel finds something special in it.
    ///
    /// # Errors
    /// A record is malformed, or there are too many.
    pub fn value(&mut self, id: u32) -> Result<bool, BtfError> {
        let is_special = id != 0 && self.is_special(id, 0)?;
        if is_special {
            self.add(id, Part::Special)?;
        }
        Ok(is_special)
    }

    /// Adds a type that is needed by its name and size.
    ///
    /// # Errors
    /// As [`Needed::value`].
    pub fn name(&mut self, id: u32) -> Result<(), BtfError> {
        self.add(id, Part::Name)
    }

    /// Whether a function is static, or the beginning of a program, and has no attributes, so that its type says
    /// nothing to the verifier.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn is_plain(&mut self, function: u32, is_first: bool) -> Result<bool, BtfError> {
        let is_static = self.btf.by_id(function)?.vlen() == 0;
        Ok((is_first || is_static) && self.tags.iter().all(|tag| tag.of != function))
    }

    /// Adds what a CO-RE relocation names.
    ///
    /// # Errors
    /// It leads nowhere, or as [`Needed::value`].
    pub fn relocation(&mut self, relocation: &Relocation<'_>) -> Result<(), BtfError> {
        let Relocation { type_id, kind, .. } = *relocation;
        match kind {
            // The program makes such objects, or all of it is compared.
            6 | 12 => return self.add(type_id, Part::All),
            _ => self.add(type_id, Part::Name)?,
        }
        if TYPES.contains(&kind) {
            return Ok(());
        }
        for (id, step) in self.way(relocation)? {
            self.keep(id, step);
            if let Some(member) = self.btf.by_id(id)?.member(step) {
                self.add(member.type_id, Part::Name)?;
            }
        }
        Ok(())
    }

    /// The steps of a relocation among the elements that are kept, as `0:1:2`. To be asked when all is added.
    ///
    /// # Errors
    /// It leads nowhere.
    pub fn access(&mut self, relocation: &Relocation<'_>) -> Result<String, BtfError> {
        let mut shown = steps(relocation)?;
        if TYPES.contains(&relocation.kind) {
            return Ok("0".into());
        }
        let first = usize::from(!VALUES.contains(&relocation.kind));
        for (step, (id, index)) in shown[first..].iter_mut().zip(self.way(relocation)?) {
            *step = self.place(id, index);
        }
        let shown: Vec<_> = shown.iter().map(u32::to_string).collect();
        Ok(shown.join(":"))
    }

    /// The types as a text has them, in the order of their ids.
    ///
    /// # Errors
    /// As [`Needed::value`].
    pub fn lines(&mut self) -> Result<Vec<String>, BtfError> {
        self.add_tags()?;
        let kept: Vec<_> = self.kept.keys().copied().collect();
        let lines = kept.into_iter().map(|id| {
            let record = self.btf.by_id(id)?;
            let keep = |index: u32| match &self.kept[&id] {
                Elements::All => true,
                Elements::Some(kept) => kept.contains(&index),
            };
            let tag = self.tags.iter().find(|tag| tag.id == id);
            let component = tag.map(|tag| self.place(tag.of, tag.component));
            Ok(written::line(id, &record, &keep, component))
        });
        lines.collect()
    }

    /// Adds the attributes of what is kept.
    fn add_tags(&mut self) -> Result<(), BtfError> {
        loop {
            let before = (self.kept.len(), self.seen.len());
            for index in 0..self.tags.len() {
                let Tag { id, of, component, text } = self.tags[index];
                let is_kept = match self.kept.get(&of) {
                    Some(Elements::All) => true,
                    Some(Elements::Some(kept)) => {
                        component == u32::MAX || kept.contains(&component)
                    }
                    None => false,
                };
                if !is_kept {
                    continue;
                }
                self.kept.entry(id).or_insert(Elements::All);
                // `contains:STRUCT:MEMBER`: what a list or a tree holds.
                let mut words = text.split(':');
                if let (Some("contains"), Some(name)) = (words.next(), words.next())
                    && let Some(node) = self.btf.find_id(TypeKind::Struct, name)?
                {
                    self.add(node, Part::All)?;
                }
            }
            if before == (self.kept.len(), self.seen.len()) {
                return Ok(());
            }
        }
    }

    /// The steps from type to type: a struct and its member, an enumeration and its value.
    fn way(&mut self, relocation: &Relocation<'_>) -> Result<Vec<(u32, u32)>, BtfError> {
        let (steps, mut id) = (steps(relocation)?, relocation.type_id);
        if VALUES.contains(&relocation.kind) {
            return Ok(vec![(self.btf.behind_modifiers(id)?.0, steps[0])]);
        }
        let mut way = vec![];
        for step in &steps[1..] {
            let (of, record) = self.btf.behind_modifiers(id)?;
            id = match record.array() {
                Some((element, _)) => element,
                None => record.member(*step).ok_or(BtfError::NoSuchType(of))?.type_id,
            };
            way.push((of, *step));
        }
        Ok(way)
    }

    fn keep(&mut self, id: u32, index: u32) {
        if let Some(Elements::Some(kept)) = self.kept.get_mut(&id) {
            kept.insert(index);
        }
    }

    /// The number of an element among those that are kept.
    fn place(&self, id: u32, index: u32) -> u32 {
        match self.kept.get(&id) {
            Some(Elements::Some(kept)) if index != u32::MAX => kept.range(..index).count() as u32,
            _ => index,
        }
    }

    fn add(&mut self, id: u32, part: Part) -> Result<(), BtfError> {
        use TypeKind::*;
        let mut open = vec![(id, part)];
        while let Some((id, part)) = open.pop() {
            if id == 0 || !self.seen.insert((id, part)) {
                continue;
            }
            if self.kept.len() == TYPES_MAX {
                return Err(BtfError::Endless(id));
            }
            let record = self.btf.by_id(id)?;
            let some = || Elements::Some(BTreeSet::new());
            let to = record.size_or_type();
            match record.kind() {
                Struct | Union => {
                    let _ = self.kept.entry(id).or_insert_with(some);
                    for (index, member) in (0..).zip(record.members()) {
                        let is_needed = match part {
                            Part::Name => false,
                            Part::Special => self.is_special(member.type_id, 0)?,
                            Part::All => true,
                        };
                        if is_needed {
                            self.keep(id, index);
                            open.push((member.type_id, part));
                        }
                    }
                    if part == Part::All {
                        self.kept.insert(id, Elements::All);
                    }
                    continue;
                }
                Datasec => {
                    let _ = self.kept.entry(id).or_insert_with(some);
                    for (index, variable) in (0..).zip(record.variables()) {
                        if self.is_special(variable, 0)? {
                            self.keep(id, index);
                            open.push((variable, part));
                        }
                    }
                    continue;
                }
                Enum | Enum64 if part == Part::Name => {
                    let _ = self.kept.entry(id).or_insert_with(some);
                    continue;
                }
                Ptr => {
                    let is_special = part != Part::Name && self.is_special(id, 0)?;
                    open.push((to, if is_special { Part::Special } else { Part::Name }));
                }
                Array => {
                    let element = record.array().map_or(0, |(element, _)| element);
                    let index = record.word(super::record::HEADER + 4);
                    open.extend([(element, part), (index, Part::Name)]);
                }
                FuncProto => {
                    open.push((to, Part::Name));
                    open.extend(record.parameters().map(|(_, id)| (id, Part::Name)));
                }
                Int | Float | Fwd | DeclTag => {}
                _ => open.push((to, part)),
            }
            self.kept.insert(id, Elements::All);
        }
        Ok(())
    }

    /// Whether the kernel finds something in a value of this type.
    fn is_special(&mut self, id: u32, depth: u32) -> Result<bool, BtfError> {
        if id == 0 || depth == DEPTH {
            return Ok(false);
        }
        if let Some(known) = self.special.get(&id) {
            return Ok(*known);
        }
        // Until it is known, for types that lead to themselves.
        self.special.insert(id, false);
        let record = self.btf.by_id(id)?;
        let is_special = match record.kind() {
            TypeKind::Struct if SPECIAL.contains(&record.short_name()) => true,
            TypeKind::Struct | TypeKind::Union => {
                self.any(record.members().map(|it| it.type_id), depth)?
            }
            TypeKind::Datasec => self.any(record.variables(), depth)?,
            TypeKind::Array => self.any(record.array().into_iter().map(|it| it.0), depth)?,
            TypeKind::Var => self.is_special(record.size_or_type(), depth + 1)?,
            TypeKind::Ptr => self.is_kernels(record.size_or_type())?,
            kind if kind.is_modifier() => self.is_special(record.size_or_type(), depth + 1)?,
            _ => false,
        };
        self.special.insert(id, is_special);
        Ok(is_special)
    }

    fn any(&mut self, ids: impl Iterator<Item = u32>, depth: u32) -> Result<bool, BtfError> {
        for id in ids {
            if self.is_special(id, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether what a pointer leads to has an attribute that makes it one of the kernel's.
    fn is_kernels(&mut self, mut id: u32) -> Result<bool, BtfError> {
        for _ in 0..DEPTH {
            if id == 0 {
                break;
            }
            let record = self.btf.by_id(id)?;
            match record.kind() {
                TypeKind::TypeTag if POINTERS.contains(&record.short_name()) => return Ok(true),
                kind if kind.is_modifier() => id = record.size_or_type(),
                _ => break,
            }
        }
        Ok(false)
    }
}
