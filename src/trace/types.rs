//! The kernel's types, as a script sees them.

use std::cell::RefCell;

use crate::btf::{Btf, BtfError, Signature, TypeKind};
use crate::host::{KernelTypes, names};
use crate::script::host::{Field, FieldForm, Member};
use crate::script::types::{Int, Struct, Type, TypeId};

/// Addresses of addresses are followed up to this depth, and arrays of arrays.
const DEPTH: u32 = 8;

/// Answers that are kept, each with its question. There are few.
type Answers<Answer> = RefCell<Vec<(String, Result<Answer, String>)>>;

/// The types of the kernel and of its modules. What was found is kept: a search takes a millisecond.
pub(super) struct Types<'t> {
    kernel: &'t KernelTypes,
    /// The kernel, and the modules that were looked into so far.
    modules: RefCell<Vec<(String, Btf<'t>)>>,
    members: Answers<Member>,
    named: Answers<Type>,
    arguments: Answers<Field>,
}

impl<'t> Types<'t> {
    pub fn new(kernel: &'t KernelTypes) -> Types<'t> {
        Types {
            kernel,
            modules: RefCell::default(),
            members: RefCell::default(),
            named: RefCell::default(),
            arguments: RefCell::default(),
        }
    }

    /// Where they come from.
    pub fn kernel(&self) -> &'t KernelTypes {
        self.kernel
    }

    /// Asks the BTF of the kernel, `""`, or of a module, which has this number.
    fn ask<T>(
        &self,
        module: &str,
        question: impl FnOnce(&mut Btf<'t>, u32) -> Result<T, BtfError>,
    ) -> Result<T, String> {
        let number = self.open(module)?;
        self.ask_number(number, |btf| question(btf, number))
    }

    /// The number of the kernel or of a module, whose types are looked into if they were not yet.
    fn open(&self, module: &str) -> Result<u32, String> {
        let mut modules = self.modules.borrow_mut();
        if modules.is_empty() {
            let btf = self.kernel.btf().map_err(|error| error.what)?;
            let btf = btf.ok_or("this kernel has no types (BTF): CONFIG_DEBUG_INFO_BTF")?;
            modules.push((String::new(), btf));
        }
        if let Some(number) = modules.iter().position(|(name, _)| name == module) {
            return Ok(number as u32);
        }
        let btf = self.kernel.btf_of_module(module).map_err(|error| error.what)?;
        let btf = btf.ok_or_else(|| format!("module {module} has no types (BTF)"))?;
        modules.push((module.to_owned(), btf));
        Ok(modules.len() as u32 - 1)
    }

    /// The same by the number.
    fn ask_number<T>(
        &self,
        number: u32,
        question: impl FnOnce(&mut Btf<'t>) -> Result<T, BtfError>,
    ) -> Result<T, String> {
        let mut modules = self.modules.borrow_mut();
        let (_, btf) = modules.get_mut(number as usize).ok_or("there is no such type")?;
        question(btf).map_err(|error| error.to_string())
    }

    /// A type by its name.
    pub fn named(&self, keyword: Option<&str>, name: &str) -> Result<Type, String> {
        let key = format!("{} {name}", keyword.unwrap_or_default());
        kept(&self.named, key, &|| self.find(keyword, name))
    }

    fn find(&self, keyword: Option<&str>, name: &str) -> Result<Type, String> {
        let kinds = match keyword {
            Some("struct") => &[TypeKind::Struct][..],
            Some("union") => &[TypeKind::Union],
            Some(_) => &[TypeKind::Enum, TypeKind::Enum64],
            None => &[TypeKind::Typedef, TypeKind::Int],
        };
        let wanted: Vec<_> = kinds.iter().map(|kind| (*kind, name)).collect();
        let search = |btf: &mut Btf<'t>, module: u32| {
            let found = btf.find_all(&wanted)?.into_iter().flatten().next();
            found.map(|(id, _)| of_id(btf, module, id, DEPTH)).transpose()
        };
        if let Some(found) = self.ask("", search)? {
            return Ok(found);
        }
        for module in self.kernel.modules() {
            // What cannot be read of one says nothing of the others.
            if let Ok(Some(found)) = self.ask(&module, search) {
                return Ok(found);
            }
        }
        let keyword = keyword.map(|keyword| format!("{keyword} ")).unwrap_or_default();
        Err(format!("the kernel has no type `{keyword}{name}`"))
    }

    /// The type of a declaration such as `const struct timespec * rqtp`: an address.
    pub fn declared(&self, declaration: &str) -> Type {
        let words = declaration.split(['*', ' ']);
        let words = words.filter(|word| !matches!(*word, "" | "const" | "volatile" | "__user"));
        let words: Vec<_> = words.collect();
        let stars = declaration.matches('*').count();
        // The last word is the field's own name.
        let of = match words[..] {
            [keyword @ ("struct" | "union"), name, _] => self.named(Some(keyword), name),
            [name, _] => self.named(None, name),
            _ => Ok(Type::Nothing),
        };
        (0..stars).fold(of.unwrap_or(Type::Nothing), |of, _| of.pointer(false))
    }

    /// A member of a struct.
    pub fn member(&self, of: &Struct, name: &str) -> Result<Member, String> {
        let key = format!("{} {} {name}", of.id.module, of.id.id);
        kept(&self.members, key, &|| self.find_member(of, name))
    }

    fn find_member(&self, of: &Struct, name: &str) -> Result<Member, String> {
        let module = of.id.module;
        let found = self.ask_number(module, |btf| {
            let record = btf.by_id(of.id.id)?;
            let place = match btf.placement_in(&record, name) {
                Err(BtfError::Bitfield(_)) => {
                    let Some(place) = btf.bits_in(&record, name)? else { return Ok(None) };
                    let of = of_id(btf, module, place.type_id, DEPTH)?;
                    let bits = Some((place.shift, place.bits));
                    return Ok(Some(Member { offset: place.offset as usize, bits, of }));
                }
                place => place?,
            };
            let Some(place) = place else { return Ok(None) };
            let of = of_id(btf, module, place.type_id, DEPTH)?;
            Ok(Some(Member { offset: place.offset as usize, bits: None, of }))
        });
        found?.ok_or_else(|| self.no_field(of, name))
    }

    /// Why a struct has no such field, and which it may be.
    fn no_field(&self, of: &Struct, name: &str) -> String {
        let likely = self.ask_number(of.id.module, |btf| {
            let record = btf.by_id(of.id.id)?;
            let names = btf.member_names(&record)?.into_iter().map(String::from_utf8_lossy);
            let names = names.map(|other| (strsim::jaro_winkler(name, &other), other.into_owned()));
            Ok(names
                .filter(|(likeness, _)| *likeness > 0.85)
                .max_by(|one, other| one.0.total_cmp(&other.0)))
        });
        match likely {
            Ok(Some((_, likely))) => {
                format!("{} has no field `{name}`; did you mean `{likely}`?", of.name)
            }
            _ => format!("{} has no field `{name}`", of.name),
        }
    }

    /// The members of a struct in their order, also those of structs without names in it.
    pub fn members(&self, of: &Struct) -> Vec<(String, Member)> {
        let names = self.ask_number(of.id.module, |btf| {
            let record = btf.by_id(of.id.id)?;
            let names = btf.member_names(&record)?.into_iter();
            Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>())
        });
        let member = |name: String| self.member(of, &name).ok().map(|member| (name, member));
        names.unwrap_or_default().into_iter().filter_map(member).collect()
    }

    /// The name of a value of an enumeration.
    pub fn name_of_value(&self, of: TypeId, value: i128) -> Option<String> {
        let name = self.ask_number(of.module, |btf| {
            let record = btf.by_id(of.id)?;
            let named = record.enumerators().find(|(_, number)| *number as i64 == value as i64);
            named
                .map(|(name, _)| name.map(|name| String::from_utf8_lossy(name).into_owned()))
                .transpose()
        });
        name.ok().flatten()
    }

    /// A constant of the kernel's enumerations.
    pub fn constant(&self, name: &str) -> Option<(i128, Int)> {
        let found = self.ask("", |btf, module| {
            let Some((id, number)) = btf.find_enumerator(name)? else { return Ok(None) };
            match of_id(btf, module, id, DEPTH)? {
                Type::Int(of) if of.signed => Ok(Some((i128::from(number as i64), of))),
                Type::Int(of) => Ok(Some((number.into(), of))),
                _ => Ok(None),
            }
        });
        found.ok().flatten()
    }

    /// The functions of a module, or of the kernel, that a name or a pattern means, of those with types.
    pub fn functions(&self, module: Option<&str>, pattern: &str) -> Result<Vec<String>, String> {
        let exact = names::is_exact(pattern);
        let found: Vec<String> = match (exact, module) {
            (true, _) => vec![pattern.to_owned()],
            (false, None | Some("vmlinux")) => {
                let found = names::functions(&[pattern]).map_err(|error| error.what)?;
                found.into_iter().map(|found| found.name).collect()
            }
            (false, Some(module)) => {
                let found = names::functions(&[&format!("{module}:{pattern}")]);
                found.map_err(|error| error.what)?.into_iter().map(|found| found.name).collect()
            }
        };
        if exact {
            let place = match module {
                Some(module) if module != "vmlinux" => format!("{module}:{pattern}"),
                _ => pattern.to_owned(),
            };
            let typed = self.kernel.function(&place).map_err(|error| error.what)?;
            return match typed.id {
                Some(_) => Ok(found),
                None => Err(format!("the types of {pattern} are not known, which fentry needs")),
            };
        }
        let module = module.filter(|module| *module != "vmlinux").unwrap_or("");
        let wanted: Vec<_> = found.iter().map(|name| (TypeKind::Func, &**name)).collect();
        let typed = self.ask(module, |btf, _| btf.find_all(&wanted))?;
        let typed: Vec<_> = typed.iter().zip(&found).filter(|(typed, _)| typed.is_some()).collect();
        match typed.is_empty() {
            true => Err(format!("no function with types matches {pattern}")),
            false => Ok(typed.into_iter().map(|(_, name)| name.clone()).collect()),
        }
    }

    /// An argument of a function, or without a name, its result.
    pub fn argument(&self, place: &str, name: Option<&str>) -> Result<Field, String> {
        let key = format!("{place} {}", name.unwrap_or_default());
        kept(&self.arguments, key, &|| self.find_argument(place, name))
    }

    fn find_argument(&self, place: &str, name: Option<&str>) -> Result<Field, String> {
        let typed = self.kernel.function(place).map_err(|error| error.what)?;
        let no_types = || format!("the types of {place} are not known");
        let signature = typed.signature.ok_or_else(no_types)?;
        let module = typed.module.unwrap_or_default();
        self.ask(&module, |btf, module| field(btf, module, &signature, 0, name))?
            .ok_or_else(|| missing(place, &signature, 0, name))
    }

    /// An argument of a tracepoint.
    pub fn argument_of_tracepoint(&self, tracepoint: &str, name: &str) -> Result<Field, String> {
        let key = format!("tracepoint {tracepoint} {name}");
        kept(&self.arguments, key, &|| self.find_argument_of_tracepoint(tracepoint, name))
    }

    fn find_argument_of_tracepoint(&self, tracepoint: &str, name: &str) -> Result<Field, String> {
        // Its typedef has the types alone. Names are those of the functions that call its probes.
        let functions =
            ["__probestub_", "__traceiter_"].map(|start| format!("{start}{tracepoint}"));
        let search = |btf: &mut Btf<'t>, module: u32| {
            let wanted = [0, 1].map(|index| (TypeKind::Func, &*functions[index]));
            let found = btf.find_all(&wanted)?.into_iter().flatten().next();
            let Some((_, record)) = found else { return Ok(None) };
            let Some(signature) = btf.signature(&record)? else { return Ok(None) };
            Ok(Some((field(btf, module, &signature, 1, Some(name))?, signature)))
        };
        let mut found = self.ask("", search)?;
        let mut modules = self.kernel.modules().into_iter();
        while let (None, Some(module)) = (&found, modules.next()) {
            found = self.ask(&module, search).unwrap_or_default();
        }
        match found {
            None => Err(format!("the arguments of tracepoint {tracepoint} are not known")),
            Some((Some(field), _)) => Ok(field),
            Some((None, signature)) => Err(missing(tracepoint, &signature, 1, Some(name))),
        }
    }
}

/// The answer to a question, which is found once.
fn kept<Answer: Clone>(
    answers: &Answers<Answer>,
    question: String,
    find: &dyn Fn() -> Result<Answer, String>,
) -> Result<Answer, String> {
    if let Some((_, known)) = answers.borrow().iter().find(|(asked, _)| *asked == question) {
        return known.clone();
    }
    let found = find();
    answers.borrow_mut().push((question, found.clone()));
    found
}

/// Why there is no such argument after the first ones, which are not the program's.
fn missing(place: &str, signature: &Signature, skipped: usize, name: Option<&str>) -> String {
    let Some(name) = name else { return format!("{place} returns nothing") };
    let names = signature.parameters.iter().skip(skipped).map(|parameter| &*parameter.name);
    format!("{place} has no argument `{name}`; it has {}", names.collect::<Vec<_>>().join(", "))
}

/// An argument after the first ones, which are not the program's, or without a name, the result.
fn field(
    btf: &mut Btf<'_>,
    module: u32,
    signature: &Signature,
    skipped: usize,
    name: Option<&str>,
) -> Result<Option<Field>, BtfError> {
    let parameters = signature.parameters.iter().skip(skipped);
    let (words, type_id) = match name {
        Some(name) => {
            let mut words = 0;
            let found = parameters.into_iter().find(|parameter| {
                let found = parameter.name == name;
                words += if found { 0 } else { parameter.words };
                found
            });
            let Some(found) = found else { return Ok(None) };
            (words, found.type_id)
        }
        None if signature.returns == 0 => return Ok(None),
        None => (parameters.map(|parameter| parameter.words).sum(), signature.returns),
    };
    let of = of_id(btf, module, type_id, DEPTH)?;
    let form = if of.is_scalar() { FieldForm::Word } else { FieldForm::Bytes(of.size()) };
    Ok(Some(Field { offset: 8 * words as i32, form, of }))
}

/// What a type is for a script.
fn of_id(btf: &mut Btf<'_>, module: u32, id: u32, depth: u32) -> Result<Type, BtfError> {
    if depth == 0 || btf.is_void(id)? {
        return Ok(Type::Nothing);
    }
    let (id, record) = btf.behind_modifiers(id)?;
    let size = record.size_or_type();
    Ok(match record.kind() {
        TypeKind::Int if record.is_bool() => Type::Bool,
        TypeKind::Int | TypeKind::Enum | TypeKind::Enum64 if matches!(size, 1 | 2 | 4 | 8) => {
            let named = record.kind() != TypeKind::Int;
            Type::Int(Int {
                bytes: size as u8,
                signed: record.is_signed(),
                literal: false,
                names: named.then_some(TypeId { module, id }),
            })
        }
        TypeKind::Ptr => of_id(btf, module, size, depth - 1)?.pointer(false),
        TypeKind::Array => {
            let (element, count) = record.array().unwrap_or_default();
            let of = of_id(btf, module, element, depth - 1)?;
            match of {
                Type::Int(Int { bytes: 1, .. }) => Type::Text(count as usize),
                of => Type::Array(Box::new(of), count as usize),
            }
        }
        TypeKind::Struct | TypeKind::Union => {
            let keyword = if record.kind() == TypeKind::Struct { "struct" } else { "union" };
            let name = String::from_utf8_lossy(record.name()?).into_owned();
            let name = if name.is_empty() { "{..}" } else { &name };
            Type::Struct(Struct {
                name: format!("{keyword} {name}"),
                id: TypeId { module, id },
                bytes: size as usize,
            })
        }
        _ => Type::Nothing,
    })
}
