//! Where a program that runs when a block request is issued finds the request.

use super::attach::{Attach, AttachKind};
use super::registers;
use super::types::KernelTypes;
use crate::btf::{Btf, BtfError, Kind, TraceArgs, Type};
use crate::error::Error;
use crate::insn::{Access, Field};
use crate::sys::Tracefs;

/// A block request as a program's context leads to it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "a run has two of them")]
pub enum Request {
    /// By a pointer to a `struct request`.
    Struct {
        /// Where in the context the pointer is.
        argument: i32,
        /// How to read through it.
        access: Access,
        /// The size in bytes, u32.
        data_len: Field,
        /// What it does: operation and flags, u32.
        cmd_flags: Field,
        /// The pointers to follow to the `struct gendisk`.
        disk: [Option<Field>; 2],
        /// The disk's driver, u32.
        major: Field,
        /// The disk's number, u32.
        first_minor: Field,
        /// When it was made, u64 nanoseconds of the monotonic clock; 0 where the disk's `iostats` is
        /// off.
        start_time: Field,
    },
    /// By a copy of what matters of it, in a tracepoint's record.
    Record {
        /// The size in bytes, u32.
        bytes: Field,
        /// The disk's number in the kernel's own form, u32.
        dev: Field,
    },
}

const RECORD: &str = "trace_event_raw_block_rq";

/// A place where a program meets a request, and how it is attached there: at the entry of one of
/// `functions`, whose first argument the request is, or at the tracepoint `category`/`name`.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// How.
    pub kind: AttachKind,
    /// The first of them that the kernel has.
    pub functions: &'static [&'static str],
    /// Category and name.
    pub tracepoint: (&'static str, &'static str),
}

impl Place {
    /// The types that tell it.
    fn hooks(&self) -> Vec<(Kind, String)> {
        match self.kind {
            AttachKind::Fentry => {
                self.functions.iter().map(|name| (Kind::Func, (*name).to_owned())).collect()
            }
            AttachKind::TpBtf | AttachKind::RawTp => vec![(Kind::Typedef, self.typedef())],
            _ => vec![],
        }
    }

    fn typedef(&self) -> String {
        format!("btf_trace_{}", self.tracepoint.1)
    }

    fn request(
        &self,
        mut found: Option<&mut Found>,
        types: &KernelTypes,
    ) -> Result<(Attach, Request), Error> {
        let own = !types.are_from_file();
        let (functions, (category, name)) = (self.functions, self.tracepoint);
        let (attach, argument, access) = match self.kind {
            AttachKind::Tracepoint => {
                let attach = Attach::Tracepoint(category.to_owned(), name.to_owned());
                return Ok((attach, Request::record(category, name, types)?));
            }
            AttachKind::Kprobe => {
                let registers = registers::host().ok_or_else(|| {
                    let arch = std::env::consts::ARCH;
                    Error::lacking(format!(
                        "where {arch} keeps a function's arguments is not known"
                    ))
                    .next("try: --attach tp_btf")
                })?;
                let functions = functions.iter().map(|name| (*name).to_owned()).collect();
                (Attach::Kprobe(functions), registers.arguments[0], Access::Probe)
            }
            AttachKind::Fentry => {
                let id = |name: &str| Some(found.as_ref()?.hook(name)?.0);
                let known = functions.iter().find_map(|name| Some((*name, id(name)?)));
                let (name, id) = known.map_or(
                    (functions.first().copied().unwrap_or_default(), None),
                    |(name, id)| (name, Some(id)),
                );
                let attach = Attach::Fentry(name.to_owned(), id.filter(|_| own));
                (attach, 0, Access::Typed)
            }
            _ => {
                let trace = found.as_mut().map(|found| found.trace_args(&self.typedef()));
                let trace = trace.transpose().map_err(|error| types.error(&error))?.flatten();
                // Until 5.11, and in some 5.10, the request's queue comes first.
                let argument = if trace.is_some_and(|trace| trace.args == 2) { 8 } else { 0 };
                if self.kind == AttachKind::TpBtf {
                    let id = trace.map(|trace| trace.type_id).filter(|_| own);
                    (Attach::TpBtf(name.to_owned(), id), argument, Access::Typed)
                } else {
                    (Attach::RawTp(name.to_owned()), argument, Access::Probe)
                }
            }
        };
        let mut request = Request::through(argument, access);
        if let Some(found) = found {
            found.place(&mut request).map_err(|error| types.error(&error))?;
        }
        Ok((attach, request))
    }
}

impl Request {
    /// Where a program finds the request when it is attached in this way, for each of these places by
    /// one walk over the types. The disk is looked up only `with_disk`. What this host does not tell
    /// stays unknown.
    ///
    /// # Errors
    /// The kernel's types cannot be read, or this architecture's registers are not known.
    pub fn find<const N: usize>(
        places: [Place; N],
        types: &KernelTypes,
        with_disk: bool,
    ) -> Result<[(Attach, Request); N], Error> {
        let found = Request::find_all(&places, types, with_disk)?;
        found.try_into().map_err(|_| Error::failed("a place of a request is missing"))
    }

    fn find_all(
        places: &[Place],
        types: &KernelTypes,
        with_disk: bool,
    ) -> Result<Vec<(Attach, Request)>, Error> {
        let pointers = places.iter().any(|place| place.kind != AttachKind::Tracepoint);
        let hooks: Vec<_> = places.iter().flat_map(Place::hooks).collect();
        let btf = if pointers { types.btf()? } else { None };
        let found = btf.map(|btf| Found::look_up(btf, hooks, with_disk));
        let mut found = found.transpose().map_err(|error| types.error(&error))?;
        places.iter().map(|place| place.request(found.as_mut(), types)).collect()
    }

    /// By the record of a tracepoint.
    fn record(category: &str, name: &str, types: &KernelTypes) -> Result<Request, Error> {
        let (mut bytes, mut dev) = (field(RECORD, "bytes"), field(RECORD, "dev"));
        // Only root may read tracefs; the types tell everybody the same.
        let tracefs = Tracefs::find().filter(|_| !types.are_from_file());
        if let Some(format) = tracefs.and_then(|t| t.tracepoint_format(category, name).ok()) {
            for field in [&mut bytes, &mut dev] {
                field.offset = format.field(field.member).map(|found| found.offset as i32);
            }
        } else if let Some(mut btf) = types.btf()? {
            let asked = [&bytes, &dev].map(|field| (field.of, field.member));
            let places = btf.placements(&asked).map_err(|error| types.error(&error))?;
            for (field, place) in [&mut bytes, &mut dev].into_iter().zip(places) {
                field.offset = place.map(|place| place.offset as i32);
            }
        }
        Ok(Request::Record { bytes, dev })
    }

    /// By a pointer `argument` bytes into the context, its fields yet to be placed.
    fn through(argument: i32, access: Access) -> Request {
        Request::Struct {
            argument,
            access,
            data_len: field("request", "__data_len"),
            cmd_flags: field("request", "cmd_flags"),
            disk: [Some(field("request", "q")), Some(field("request_queue", "disk"))],
            major: field("gendisk", "major"),
            first_minor: field("gendisk", "first_minor"),
            start_time: field("request", "start_time_ns"),
        }
    }
}

/// The structs that a request leads through.
const STRUCTS: [&str; 3] = ["request", "request_queue", "gendisk"];

/// What one walk over the types found.
struct Found<'a> {
    btf: Btf<'a>,
    /// By name, with their ids.
    hooks: Vec<(String, Option<(u32, Type<'a>)>)>,
    /// As [`STRUCTS`], or the first of them.
    structs: Vec<Option<Type<'a>>>,
}

impl<'a> Found<'a> {
    fn look_up(
        mut btf: Btf<'a>,
        hooks: Vec<(Kind, String)>,
        with_disk: bool,
    ) -> Result<Found<'a>, BtfError> {
        let structs = if with_disk { &STRUCTS[..] } else { &STRUCTS[..1] };
        let structs = structs.iter().map(|name| (Kind::Struct, *name));
        if hooks.is_empty() {
            // Without an id to count up to, sorted types can be searched.
            let structs = btf.find_records(&structs.collect::<Vec<_>>())?;
            return Ok(Found { btf, hooks: vec![], structs });
        }
        let wanted = hooks.iter().map(|(kind, name)| (*kind, &**name));
        let mut found = btf.find_all(&wanted.chain(structs).collect::<Vec<_>>())?;
        let structs = found.split_off(hooks.len());
        let structs = structs.into_iter().map(|found| Some(found?.1)).collect();
        let hooks = hooks.into_iter().map(|(_, name)| name).zip(found).collect();
        Ok(Found { btf, hooks, structs })
    }

    fn hook(&self, name: &str) -> Option<(u32, Type<'a>)> {
        self.hooks.iter().find(|(hook, _)| hook == name)?.1
    }

    fn trace_args(&mut self, typedef: &str) -> Result<Option<TraceArgs>, BtfError> {
        let hook = self.hook(typedef);
        hook.map(|(id, typedef)| self.btf.trace_args_of(id, &typedef)).transpose()
    }

    fn offset(&mut self, field: Field) -> Result<Option<i32>, BtfError> {
        let index = STRUCTS.iter().position(|name| *name == field.of);
        let record = index.and_then(|index| self.structs.get(index).copied()).flatten();
        let Some(record) = record else { return Ok(None) };
        let place = self.btf.placement_in(&record, field.member)?;
        Ok(place.and_then(|place| i32::try_from(place.offset).ok()))
    }

    fn place(&mut self, request: &mut Request) -> Result<(), BtfError> {
        let Request::Struct { data_len, cmd_flags, disk, major, first_minor, start_time, .. } =
            request
        else {
            return Ok(());
        };
        // Until 5.15 the request knew its disk.
        let direct = field("request", "rq_disk");
        if self.offset(direct)?.is_some() {
            *disk = [Some(direct), None];
        }
        let others = [data_len, cmd_flags, major, first_minor, start_time];
        for field in others.into_iter().chain(disk.iter_mut().flatten()) {
            field.offset = self.offset(*field)?;
        }
        Ok(())
    }
}

fn field(of: &'static str, member: &'static str) -> Field {
    Field { of, member, offset: None }
}
