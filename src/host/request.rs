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
pub enum Request {
    /// By a pointer to a `struct request`.
    Struct {
        /// Where in the context the pointer is.
        argument: i32,
        /// How to read through it.
        access: Access,
        /// The size in bytes, u32.
        data_len: Field,
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

impl Request {
    /// Where a program finds the request when it is attached in this way: at the entry of one of
    /// `functions`, whose first argument it is, or at the tracepoint `category`/`name`. The disk is
    /// looked up only `with_disk`. What this host does not tell stays unknown.
    ///
    /// # Errors
    /// The kernel's types cannot be read, or this architecture's registers are not known.
    pub fn issued(
        kind: AttachKind,
        functions: &[&str],
        (category, name): (&str, &str),
        types: &KernelTypes,
        with_disk: bool,
    ) -> Result<(Attach, Request), Error> {
        if kind == AttachKind::Tracepoint {
            let attach = Attach::Tracepoint(category.to_owned(), name.to_owned());
            return Ok((attach, Request::record(category, name, types)?));
        }
        let own = !types.are_from_file();
        let typedef = format!("btf_trace_{name}");
        let hooks: Vec<(Kind, &str)> = match kind {
            AttachKind::Fentry => functions.iter().map(|name| (Kind::Func, *name)).collect(),
            AttachKind::TpBtf | AttachKind::RawTp => vec![(Kind::Typedef, &typedef)],
            _ => vec![],
        };
        let found = types.btf()?.map(|btf| Found::look_up(btf, &hooks, with_disk));
        let mut found = found.transpose().map_err(|error| types.error(&error))?;

        let (attach, argument, access) = match kind {
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
                let ids = found.iter().flat_map(|found| &found.hooks);
                let known =
                    functions.iter().zip(ids).find_map(|(name, id)| Some((*name, (*id)?.0)));
                let (name, id) = known.map_or((functions[0], None), |(name, id)| (name, Some(id)));
                let attach = Attach::Fentry(name.to_owned(), id.filter(|_| own));
                (attach, 0, Access::Typed)
            }
            _ => {
                let trace = found.as_mut().map_or(Ok(None), Found::trace_args);
                let trace = trace.map_err(|error| types.error(&error))?;
                // Until 5.11, and in some 5.10, the request's queue comes first.
                let argument = if trace.is_some_and(|trace| trace.args == 2) { 8 } else { 0 };
                if kind == AttachKind::TpBtf {
                    let id = trace.map(|trace| trace.type_id).filter(|_| own);
                    (Attach::TpBtf(name.to_owned(), id), argument, Access::Typed)
                } else {
                    (Attach::RawTp(name.to_owned()), argument, Access::Probe)
                }
            }
        };
        let mut request = Request::through(argument, access);
        if let Some(found) = &mut found {
            found.place(&mut request).map_err(|error| types.error(&error))?;
        }
        Ok((attach, request))
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
    /// With their ids.
    hooks: Vec<Option<(u32, Type<'a>)>>,
    /// As [`STRUCTS`], or the first of them.
    structs: Vec<Option<Type<'a>>>,
}

impl<'a> Found<'a> {
    fn look_up(
        mut btf: Btf<'a>,
        hooks: &[(Kind, &str)],
        with_disk: bool,
    ) -> Result<Found<'a>, BtfError> {
        let structs = if with_disk { &STRUCTS[..] } else { &STRUCTS[..1] };
        let structs = structs.iter().map(|name| (Kind::Struct, *name));
        if hooks.is_empty() {
            // Without an id to count up to, sorted types can be searched.
            let structs = btf.find_records(&structs.collect::<Vec<_>>())?;
            return Ok(Found { btf, hooks: vec![], structs });
        }
        let wanted: Vec<_> = hooks.iter().copied().chain(structs).collect();
        let mut found = btf.find_all(&wanted)?;
        let structs = found.split_off(hooks.len());
        let structs = structs.into_iter().map(|found| Some(found?.1)).collect();
        Ok(Found { btf, hooks: found, structs })
    }

    fn trace_args(&mut self) -> Result<Option<TraceArgs>, BtfError> {
        let typedef = self.hooks.first().copied().flatten();
        typedef.map(|(id, typedef)| self.btf.trace_args_of(id, &typedef)).transpose()
    }

    fn offset(&mut self, field: Field) -> Result<Option<i32>, BtfError> {
        let index = STRUCTS.iter().position(|name| *name == field.of);
        let record = index.and_then(|index| self.structs.get(index).copied()).flatten();
        let Some(record) = record else { return Ok(None) };
        let place = self.btf.placement_in(&record, field.member)?;
        Ok(place.and_then(|place| i32::try_from(place.offset).ok()))
    }

    fn place(&mut self, request: &mut Request) -> Result<(), BtfError> {
        let Request::Struct { data_len, disk, major, first_minor, start_time, .. } = request else {
            return Ok(());
        };
        // Until 5.15 the request knew its disk.
        let direct = field("request", "rq_disk");
        if self.offset(direct)?.is_some() {
            *disk = [Some(direct), None];
        }
        let others = [data_len, major, first_minor, start_time];
        for field in others.into_iter().chain(disk.iter_mut().flatten()) {
            field.offset = self.offset(*field)?;
        }
        Ok(())
    }
}

fn field(of: &'static str, member: &'static str) -> Field {
    Field { of, member, offset: None }
}
