//! Types: what each variable, map and expression holds. They depend on each other all over the script, so
//! the whole script is gone through until nothing changes, and then once more for its mistakes.

mod builtin;
mod call;
mod expression;
mod library;
mod memory;
mod statement;

use std::collections::HashMap;

use super::ast::{Argument, Expr, ExprKind, MapDeclaration, Name, Place, Probe, Span};
use super::cursor::{Cursor, Read};
use super::host::Host;
use super::probes::Event;
use super::settings::Settings;
pub use library::JOINED;

use super::types::{Aggregate, Int, Type};

/// A map of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapUse {
    /// Its name, without the `@`.
    pub name: String,
    /// Whether it has keys; `None` if no use of it says so.
    pub keyed: Option<bool>,
    /// The type of its keys.
    pub key: Type,
    /// A word for each part of its keys, as its first use calls them: `comm` and `pid` of `@[comm, pid]`.
    pub key_names: Vec<String>,
    /// The type of its values.
    pub value: Type,
    /// Whether the script deletes elements of it.
    pub deleted: bool,
    /// Its kind and its number of elements, if it is declared.
    pub declared: Option<(String, u64)>,
}

/// The types of a script.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Types {
    /// The variables' types, by index.
    pub variables: Vec<Type>,
    /// The maps, in the order of their first use.
    pub maps: Vec<MapUse>,
    /// Each map's index, by its name.
    indices: HashMap<String, usize>,
}

impl Types {
    /// The index of a map that the script uses.
    pub fn index(&self, map: &str) -> usize {
        self.indices.get(map).copied().unwrap_or_default()
    }
}

/// So often a script is gone through. Each round carries a type over one assignment at least, and no script
/// written by hand comes near.
const ROUNDS: usize = 100;

/// Finds the types of a script, and the mistakes that have to do with them. `events` are those of each
/// probe.
pub(super) fn infer(
    cursor: &Cursor,
    host: &dyn Host,
    settings: &Settings,
    declarations: &[MapDeclaration],
    mut probes: Vec<(&[Event], &mut Probe)>,
    variables: usize,
) -> Read<Types> {
    let mut infer = Infer {
        cursor,
        host,
        settings,
        types: Types {
            variables: vec![Type::Unknown; variables],
            maps: vec![],
            indices: HashMap::new(),
        },
        declared: vec![None; variables],
        never: vec![],
        events: vec![],
        loops: 0,
        changed: false,
        last: false,
    };
    for declaration in declarations {
        infer.declare(declaration)?;
    }
    for round in 0.. {
        infer.changed = false;
        for (events, probe) in &mut probes {
            infer.events = events.to_vec();
            // Mistakes are looked for at the end, when all types are known.
            let _ = infer.probe(probe);
        }
        if !infer.changed {
            break;
        }
        if round == ROUNDS {
            let what = "the types of this script depend on each other in too long a chain";
            return Err(cursor.mistake(Span::default(), what));
        }
    }
    // What has no type by now never gets a value, and cannot be read.
    let unknown = |of: &Type| *of == Type::Unknown;
    infer.never = infer.types.variables.iter().map(unknown).collect();
    infer.types.variables.iter_mut().filter(|of| unknown(of)).for_each(|of| *of = Type::INT64);
    infer.last = true;
    for (events, probe) in &mut probes {
        infer.events = events.to_vec();
        infer.probe(probe)?;
    }
    Ok(infer.types)
}

struct Infer<'a> {
    cursor: &'a Cursor<'a>,
    host: &'a dyn Host,
    settings: &'a Settings,
    types: Types,
    /// The types that variables were declared with.
    declared: Vec<Option<Type>>,
    /// Which variables get no value, known in the last round.
    never: Vec<bool>,
    /// The events of the probe that is gone through.
    events: Vec<Event>,
    /// The loops around a statement.
    loops: usize,
    /// Whether a type changed in this round.
    changed: bool,
    /// Whether this is the round in which mistakes count.
    last: bool,
}

impl Infer<'_> {
    fn declare(&mut self, declaration: &MapDeclaration) -> Read<()> {
        let kinds = ["hash", "lruhash", "percpuhash", "percpulruhash"];
        if !kinds.contains(&&*declaration.kind.text) {
            let what = format!("there is no kind of map `{}`", declaration.kind.text);
            let mistake = self.cursor.mistake(declaration.kind.span, what);
            return Err(mistake.help(format!("the kinds are {}", kinds.join(", "))));
        }
        if self.types.indices.contains_key(&declaration.map.text) {
            let what = format!("`@{}` is declared already", declaration.map.text);
            return Err(self.cursor.mistake(declaration.span, what));
        }
        if !(1..=1 << 30).contains(&declaration.entries) {
            return Err(self
                .cursor
                .mistake(declaration.span, "a map has 1 to 1073741824 elements"));
        }
        let index = self.map(&declaration.map);
        let declared = (declaration.kind.text.clone(), declaration.entries);
        self.types.maps[index].declared = Some(declared);
        Ok(())
    }

    fn mistake<T>(&self, span: Span, what: impl Into<String>) -> Read<T> {
        Err(self.cursor.mistake(span, what))
    }

    /// The index of a map, which is made at its first use.
    fn map(&mut self, name: &Name) -> usize {
        if let Some(index) = self.types.indices.get(&name.text) {
            return *index;
        }
        self.changed = true;
        let index = self.types.maps.len();
        self.types.indices.insert(name.text.clone(), index);
        self.types.maps.push(MapUse {
            name: name.text.clone(),
            keyed: None,
            key: Type::Unknown,
            key_names: vec![],
            value: Type::Unknown,
            deleted: false,
            declared: None,
        });
        index
    }

    /// A use of a map with or without a key: the first decides whether it has keys.
    fn use_map(&mut self, name: &Name, key: Option<&mut Expr>) -> Read<usize> {
        let index = self.map(name);
        let span = key.as_ref().map_or(name.span, |key| name.span.to(key.span));
        let keyed = *self.types.maps[index].keyed.get_or_insert(key.is_some());
        if keyed != key.is_some() {
            let what = match keyed {
                true => format!("`@{}` has keys elsewhere, and none here", name.text),
                false => format!("`@{}` has no keys elsewhere, and one here", name.text),
            };
            return self.mistake(span, what);
        }
        if let Some(key) = key {
            let names = &mut self.types.maps[index].key_names;
            if names.is_empty() {
                *names = key_names(key);
            }
            let of = self.value(key)?;
            self.join_key(index, &of, span)?;
        }
        Ok(index)
    }

    fn join_key(&mut self, index: usize, of: &Type, span: Span) -> Read<()> {
        let map = &mut self.types.maps[index];
        match map.key.join(of) {
            Some(joined) if joined == map.key => Ok(()),
            Some(joined) => {
                map.key = joined;
                self.changed = true;
                Ok(())
            }
            None => {
                let what =
                    format!("the keys of `@{}` are {}, and this one is {of}", map.name, map.key);
                self.mistake(span, what)
            }
        }
    }

    /// What is stored in a map: its type joins that of its values.
    fn join_value(&mut self, index: usize, of: &Type, span: Span) -> Read<()> {
        let map = &mut self.types.maps[index];
        match map.value.join(of) {
            Some(joined) if joined == map.value => Ok(()),
            Some(joined) => {
                map.value = joined;
                self.changed = true;
                Ok(())
            }
            None => {
                let what = match (&map.value, of) {
                    (
                        Type::Aggregate(Aggregate::Histogram(_)),
                        Type::Aggregate(Aggregate::Histogram(_)),
                    ) => {
                        format!("the histograms of `@{}` have ranges of other widths", map.name)
                    }
                    _ => format!("`@{}` holds {}, and this is {of}", map.name, map.value),
                };
                self.mistake(span, what)
            }
        }
    }

    /// What is stored in a variable.
    fn join_variable(
        &mut self,
        index: usize,
        of: &Type,
        constant: Option<i128>,
        span: Span,
    ) -> Read<()> {
        if let Some(declared) = &self.declared[index] {
            return match declared.holds(of, constant) {
                true => Ok(()),
                false => {
                    self.mistake(span, format!("this variable holds {declared}, and this is {of}"))
                }
            };
        }
        let variable = &mut self.types.variables[index];
        match variable.join(of) {
            Some(joined) if joined == *variable => Ok(()),
            Some(joined) => {
                *variable = joined;
                self.changed = true;
                Ok(())
            }
            None => {
                let what = format!("this variable holds {variable}, and this is {of}");
                self.mistake(span, what)
            }
        }
    }

    /// What an expression counts, if it is an element of a map that counts: it is read as a number where it
    /// is compared, computed with or cast, and nowhere else.
    fn counts(&self, expr: &Expr) -> Option<Aggregate> {
        let ExprKind::Place(Place::Map(map, _)) = &expr.kind else { return None };
        match self.types.maps.get(*self.types.indices.get(&map.text)?)?.value {
            Type::Aggregate(aggregate) => Some(aggregate),
            _ => None,
        }
    }

    /// Refuses what counts where a number is asked for.
    fn no_aggregate(&self, expr: &Expr, span: Span) -> Read<()> {
        let Some(aggregate) = self.counts(expr) else { return Ok(()) };
        let what = format!("what {}() counts is no number here", aggregate.function());
        Err(self.cursor.mistake(span, what).help("a cast makes one of it: `(int64)@m`"))
    }

    /// The type that a place holds, as it is read.
    fn read(&mut self, place: &mut Place) -> Read<Type> {
        let span = place.span();
        let of = match place {
            Place::Variable(variable) if self.last && self.never[variable.index] => {
                return self.mistake(span, format!("`${}` never gets a value", variable.name.text));
            }
            Place::Variable(variable) => self.types.variables[variable.index].clone(),
            Place::Map(name, key) => {
                let index = self.use_map(name, key.as_deref_mut())?;
                match &self.types.maps[index].value {
                    Type::Unknown if self.last => {
                        return self.mistake(span, format!("`@{}` never gets a value", name.text));
                    }
                    Type::Aggregate(aggregate) => match aggregate.number() {
                        Some(number) => number,
                        None => {
                            let what = format!("{}() has no single value", aggregate.function());
                            return self.mistake(span, what);
                        }
                    },
                    of => of.clone(),
                }
            }
        };
        Ok(of.read())
    }
}

impl Type {
    /// Of a value that was stored: its sign is settled.
    fn read(self) -> Type {
        match self {
            Type::Int(int) => Type::Int(Int { literal: false, ..int }),
            Type::Tuple(all) => Type::Tuple(all.into_iter().map(Type::read).collect()),
            of => of,
        }
    }
}

/// A word for each part of a key, none of them twice.
fn key_names(key: &Expr) -> Vec<String> {
    let parts = match &key.kind {
        ExprKind::Tuple(all) => &all[..],
        _ => std::slice::from_ref(key),
    };
    let mut names: Vec<String> = vec![];
    for (number, part) in (1..).zip(parts) {
        let fallback = || if parts.len() > 1 { format!("key{number}") } else { "key".to_owned() };
        let name = named(part).filter(|name| !names.iter().any(|other| other == name));
        names.push(name.map_or_else(fallback, str::to_owned));
    }
    names
}

/// The last word of an expression that names a value.
fn named(key: &Expr) -> Option<&str> {
    match &key.kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Field { field, .. } => Some(&field.text),
        ExprKind::Place(Place::Variable(variable)) => Some(&variable.name.text),
        ExprKind::Cast(_, of) => named(of),
        ExprKind::Call { name, arguments } if name.text == "str" => match arguments.first()? {
            Argument::Value(of) => named(of),
            Argument::Type(_) => None,
        },
        _ => None,
    }
}
