//! What a script asks of this host: fields of tracepoints, places of arguments, CPUs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::types::Types;
use crate::error::Error;
use crate::host::registers;
use crate::host::{
    Attach, AttachKind, Fentry, KernelTypes, Kprobe, PidNamespace, Process, RawTp, Tracepoint,
    UserFunction, names, refusal,
};
use crate::order::PutInOrder;
use crate::script::Host;
use crate::script::host::{Field, FieldForm, Member, Namespace, OnlyProcess};
use crate::script::probes::Event;
use crate::script::types::{Int, Struct, Type, TypeId};
use crate::sys::link::At;
use crate::sys::map::{MapSpec, MapType};
use crate::sys::tracefs::{FormatField, RecordFormat};
use crate::sys::{Map, Tracefs, cpu, kallsyms};

/// The longest key of a hash on kernels that allow no more than a program's stack.
const SHORT_KEY: usize = 512;

/// This host, as a script sees it.
pub struct TracedHost<'t> {
    types: Types<'t>,
    tracefs: Option<Tracefs>,
    formats: RefCell<HashMap<(String, String), Result<RecordFormat, String>>>,
    cpus: u32,
    namespace: Option<Namespace>,
    only_process: Option<OnlyProcess>,
    /// The same process, as this one numbers it.
    pid: Option<u32>,
    /// The functions of files that were found, by their file and their name.
    user_functions: RefCell<Vec<(String, String, UserFunction)>>,
    child: u32,
    started: u64,
}

impl<'t> TracedHost<'t> {
    /// This host with its kernel's types. `only_process` is the one whose events are looked at, `child` the one that was made for
    /// the run, 0 for none.
    ///
    /// # Errors
    /// There is no such process, or the number of CPUs is not known.
    pub fn new(
        types: &'t KernelTypes,
        only_process: Option<u32>,
        child: u32,
    ) -> Result<TracedHost<'t>, Error> {
        let started = boot_time()?.as_nanos() as u64;
        let cpus = cpu::possible().map_err(|error| refusal::file(&error))? as u32;
        let tracefs = Tracefs::find();
        let namespace = PidNamespace::own().map(namespace);
        let pid = only_process;
        let only_process = pid.map(Process::find).transpose()?.map(|found| OnlyProcess {
            pid: found.own_pid,
            namespace: found.namespace.map(self::namespace),
        });
        let formats = RefCell::default();
        Ok(TracedHost {
            types: Types::new(types),
            tracefs,
            formats,
            cpus,
            namespace,
            only_process,
            pid,
            user_functions: RefCell::default(),
            child,
            started,
        })
    }

    /// The tracepoints that match a pattern.
    ///
    /// # Errors
    /// There is none.
    pub fn tracepoints(&self, category: &str, name: &str) -> Result<Vec<(String, String)>, Error> {
        names::tracepoints(&[(category, name)])
    }

    /// Where a program of an event is attached: several places if the returns of a function are.
    ///
    /// # Errors
    /// There is no such place, or the event is run by itself or by a clock.
    pub fn attach(&self, event: &Event) -> Result<Vec<Attach>, Error> {
        Ok(vec![match event {
            Event::Tracepoint(category, name) => Tracepoint::new(category, name).into(),
            Event::RawTracepoint(name) => RawTp::new(name).into(),
            Event::Kprobe { function, offset: 0, .. } => Kprobe::new(function, At::Entry).into(),
            Event::Kretprobe { function, .. } => Kprobe::new(function, At::Return).into(),
            Event::Fentry { module, function } => {
                Fentry::find(&place(module, function), At::Entry, self.types.kernel())?.into()
            }
            Event::Fexit { module, function } => {
                Fentry::find(&place(module, function), At::Return, self.types.kernel())?.into()
            }
            Event::Uprobe { file, function } | Event::Uretprobe { file, function } => {
                let at = uprobe_at(event);
                let function = self.user_function(file, function)?;
                function.check_at(at)?;
                let places = Attach::at_user_functions(&[function], AttachKind::Uprobe, at);
                return Ok(places.into_iter().map(|(place, _)| place).collect());
            }
            event => return Err(Error::usage(format!("{event} cannot be attached"))),
        }])
    }

    /// The types of this host's kernel.
    pub(super) fn types(&self) -> &Types<'t> {
        &self.types
    }

    /// How a field of a record is stored, and its type.
    fn traced_field(&self, field: &FormatField) -> Result<Field, String> {
        let declaration = &*field.declaration;
        let size = field.size as usize;
        let is_array = declaration.contains('[');
        let number = |bytes| FieldForm::Number { bytes, signed: field.signed };
        let (form, of) = match field.size {
            _ if field.data_location() == Some(0) => (FieldForm::Location, Type::address(false)),
            _ if is_array && declaration.starts_with("char ") => {
                (FieldForm::Bytes(size), Type::Text(size))
            }
            8 if !is_array && declaration.contains('*') => {
                (FieldForm::Number { bytes: 8, signed: false }, self.types.declared(declaration))
            }
            bytes @ (1 | 2 | 4 | 8) if !is_array => {
                (number(bytes as u8), Type::int(bytes as u8, field.signed))
            }
            _ => match elements(declaration).filter(|count| size.is_multiple_of(*count)) {
                Some(count) if matches!(size / count, 1 | 2 | 4 | 8) => {
                    let of = Type::int((size / count) as u8, field.signed);
                    (FieldForm::Bytes(size), Type::Array(Box::new(of), count))
                }
                _ => return Err(format!("fields such as `{declaration}` are not supported")),
            },
        };
        Ok(Field { offset: field.offset as i32, form, of })
    }

    /// A function of a file that was found before.
    fn user_function(&self, file: &str, function: &str) -> Result<UserFunction, Error> {
        let known = self.user_functions.borrow();
        match known.iter().find(|(path, name, _)| path == file && name == function) {
            Some((.., found)) => Ok(found.clone()),
            None => UserFunction::find(Path::new(file), function, self.pid),
        }
    }

    /// The functions of a file that a name or a pattern means.
    fn user_functions(&self, event: &Event, file: &str, name: &str) -> Result<Vec<Event>, Error> {
        let at = uprobe_at(event);
        let found = UserFunction::one_or_pattern(Path::new(file), name, at, self.pid)?;
        let exact = names::is_exact(name);
        let mut known = self.user_functions.borrow_mut();
        let events = found.into_iter().map(|found| {
            let file = found.path.to_string_lossy().into_owned();
            let function = if exact { name.to_owned() } else { found.symbol.clone() };
            known.push((file.clone(), function.clone(), found));
            match at {
                At::Entry => Event::Uprobe { file, function },
                At::Return => Event::Uretprobe { file, function },
            }
        });
        Ok(events.collect())
    }
}

/// A function with its module.
fn place(module: &Option<String>, function: &str) -> String {
    match module {
        Some(module) if module != "vmlinux" => format!("{module}:{function}"),
        _ => function.to_owned(),
    }
}

/// Whether a probe of a function of a file is at its entry or its return.
fn uprobe_at(event: &Event) -> At {
    if matches!(event, Event::Uretprobe { .. }) { At::Return } else { At::Entry }
}

impl Host for TracedHost<'_> {
    fn expand(&self, event: Event) -> Result<Vec<Event>, String> {
        Ok(match event {
            // One that is there needs no search among thousands.
            Event::Tracepoint(category, name)
                if names::is_exact(&category)
                    && names::is_exact(&name)
                    && self
                        .tracefs
                        .as_ref()
                        .is_some_and(|tracefs| tracefs.has_event(&category, &name)) =>
            {
                vec![Event::Tracepoint(category, name)]
            }
            Event::Tracepoint(category, name) => self
                .tracepoints(&category, &name)
                .map_err(|error| error.what)?
                .into_iter()
                .map(|(category, name)| Event::Tracepoint(category, name))
                .collect(),
            Event::RawTracepoint(name) if !names::is_exact(&name) => {
                let found = self.tracepoints("*", &name).map_err(|error| error.what)?.into_iter();
                // The system calls have no tracepoints of their own.
                let found = found.filter(|(category, _)| category != "syscalls");
                let mut found: Vec<_> = found.map(|(_, name)| name).collect();
                found.order();
                found.dedup();
                found.into_iter().map(Event::RawTracepoint).collect()
            }
            Event::Kprobe { module, function, offset } if !names::is_exact(&function) => {
                let found = names::functions(&[&function]).map_err(|error| error.what)?;
                found
                    .into_iter()
                    .map(|found| Event::Kprobe {
                        module: module.clone(),
                        function: found.name,
                        offset,
                    })
                    .collect()
            }
            Event::Kretprobe { module, function } if !names::is_exact(&function) => {
                let found = names::functions(&[&function]).map_err(|error| error.what)?;
                found
                    .into_iter()
                    .map(|found| Event::Kretprobe { module: module.clone(), function: found.name })
                    .collect()
            }
            Event::Fentry { ref module, ref function }
            | Event::Fexit { ref module, ref function } => {
                let found = self.types.functions(module.as_deref(), function)?;
                let at_return = matches!(event, Event::Fexit { .. });
                let event = |function: String| match at_return {
                    true => Event::Fexit { module: module.clone(), function },
                    false => Event::Fentry { module: module.clone(), function },
                };
                found.into_iter().map(event).collect()
            }
            Event::Uprobe { ref file, ref function }
            | Event::Uretprobe { ref file, ref function } => {
                self.user_functions(&event, file, function).map_err(|error| error.what)?
            }
            event => vec![event],
        })
    }

    fn field(&self, event: &Event, name: &str) -> Result<Field, String> {
        let (category, event) = match event {
            Event::Tracepoint(category, event) => (category, event),
            Event::RawTracepoint(tracepoint) => {
                return self.types.argument_of_tracepoint(tracepoint, name);
            }
            Event::Fentry { module, function } | Event::Fexit { module, function } => {
                return self.types.argument(&place(module, function), Some(name));
            }
            event => return Err(format!("{event} has no arguments by name")),
        };
        let key = (category.clone(), event.clone());
        let mut formats = self.formats.borrow_mut();
        let format = formats.entry(key).or_insert_with(|| match &self.tracefs {
            Some(tracefs) => tracefs.tracepoint_format(category, event).map_err(|error| {
                format!("the format of tracepoint {category}:{event} cannot be read: {error}")
            }),
            None => Err(format!(
                "the fields of tracepoints are in tracefs: {}",
                refusal::no_tracefs().what
            )),
        });
        let format = format.as_ref().map_err(String::clone)?;
        match format.field(name) {
            Some(field) => self.traced_field(field),
            None => {
                let own = format.fields.iter().filter(|field| !field.name.starts_with("common_"));
                let names: Vec<_> = own.map(|field| &*field.name).collect();
                Err(format!(
                    "{category}:{event} has no field `{name}`; it has {}",
                    names.join(", ")
                ))
            }
        }
    }

    fn argument(&self, event: &Event, number: u32) -> Result<i32, String> {
        match event {
            Event::RawTracepoint(_) if number < 12 => Ok(8 * number as i32),
            Event::Kprobe { .. } => {
                let known = registers::host().map_or(&[][..], |registers| registers.arguments);
                known.get(number as usize).copied().ok_or_else(|| {
                    format!("only the first {} arguments are in registers", known.len())
                })
            }
            Event::Uprobe { file, function } => {
                let found = self.user_function(file, function);
                let found = found.and_then(|found| found.arguments());
                let known = found.map_err(|error| error.what)?;
                known.get(number as usize).copied().ok_or_else(|| {
                    format!("only the first {} arguments are in registers", known.len())
                })
            }
            _ => Err(format!("there is no arg{number} here")),
        }
    }

    fn result(&self, event: &Event) -> Result<i32, String> {
        match (event, registers::host()) {
            (Event::Kretprobe { .. } | Event::Uretprobe { .. }, Some(registers)) => {
                Ok(registers.result)
            }
            (Event::Fexit { module, function }, _) => {
                Ok(self.types.argument(&place(module, function), None)?.offset)
            }
            _ => Err("there is no result here".into()),
        }
    }

    fn result_type(&self, event: &Event) -> Result<Type, String> {
        match event {
            Event::Fexit { module, function } => {
                Ok(self.types.argument(&place(module, function), None)?.of)
            }
            _ => Ok(Type::UINT64),
        }
    }

    fn kernel_type(&self, keyword: Option<&str>, name: &str) -> Result<Type, String> {
        self.types.named(keyword, name)
    }

    fn member(&self, of: &Struct, name: &str) -> Result<Member, String> {
        self.types.member(of, name)
    }

    fn enumerator(&self, name: &str) -> Option<(i128, Int)> {
        self.types.constant(name)
    }

    fn kernel_address(&self, symbol: &str) -> Option<u64> {
        let found = kallsyms::for_each(|known| match known.name == symbol && known.address != 0 {
            true => ControlFlow::Break(known.address),
            false => ControlFlow::Continue(()),
        });
        found.ok().flatten()
    }

    fn name_of_value(&self, of: TypeId, value: i128) -> Option<String> {
        self.types.name_of_value(of, value)
    }

    fn members(&self, of: &Struct) -> Vec<(String, Member)> {
        self.types.members(of)
    }

    fn cpus(&self) -> u32 {
        self.cpus
    }

    fn variables(&self) -> Vec<(String, String)> {
        let all = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        all.filter(|(name, _)| name.starts_with("BPFTRACE_")).collect()
    }

    fn missing(&self, event: &Event) -> Option<String> {
        let function = event.kernel_function()?;
        let found = names::functions(&[&names::as_pattern(function)?]);
        found.is_err().then(|| format!("this kernel has no function {function}"))
    }

    fn longest_key(&self) -> usize {
        let long = MapSpec::new("key", MapType::Hash, SHORT_KEY as u32 + 8, 8, 1);
        if Map::create(&long).is_ok() { usize::MAX } else { SHORT_KEY }
    }

    fn namespace(&self) -> Option<Namespace> {
        self.namespace
    }

    fn only_process(&self) -> Option<OnlyProcess> {
        self.only_process
    }

    fn child(&self) -> u32 {
        self.child
    }

    fn started(&self) -> u64 {
        self.started
    }
}

fn namespace(PidNamespace { device, inode }: PidNamespace) -> Namespace {
    Namespace { device, inode }
}

/// The time since boot, that of a sleeping host included.
///
/// # Errors
/// The kernel does not say.
pub(super) fn boot_time() -> Result<Duration, Error> {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME);
    let time = time.map_err(|error| Error::failed(format!("the clock cannot be read: {error}")))?;
    Ok(Duration::from(time))
}

/// How many elements a declaration such as `__u8 saddr[4]` has; none if it does not say.
fn elements(declaration: &str) -> Option<usize> {
    let count = declaration.split_once('[')?.1.split_once(']')?.0;
    count.parse().ok().filter(|count| *count > 0)
}
