//! Where a program that runs when a block request is issued or ends finds the request.

use super::probe::{Attach, AttachKind, Fentry, Kprobe, RawTp, TpBtf, Tracepoint};
use super::registers;
use super::types::KernelTypes;
use crate::btf::{Btf, BtfError, TraceArgs, Type, TypeKind};
use crate::error::Error;
use crate::insn::{Access, Field};
use crate::sys::Tracefs;
use crate::sys::link::At;

/// A block request as a program's context leads to it.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are few of them, and they are copied by value"
)]
pub enum Request {
    /// By a pointer to it.
    Struct(StructRequest),
    /// By a tracepoint's record.
    Record(RecordRequest),
}

/// A `struct request` that a program's context has a pointer to.
#[derive(Clone, Copy, Debug)]
pub struct StructRequest {
    /// Where in the context the pointer is.
    pub argument: i32,
    /// How to read through it.
    pub access: Access,
    /// The size in bytes, u32.
    pub data_len: Field,
    /// What it does: operation and flags, u32.
    pub cmd_flags: Field,
    /// The pointers to follow to the `struct gendisk`.
    pub disk: [Option<Field>; 2],
    /// The disk's driver, u32.
    pub major: Field,
    /// The disk's number, u32.
    pub first_minor: Field,
    /// The disk's name, 32 bytes.
    pub disk_name: Field,
    /// When it was made, u64 nanoseconds of the monotonic clock; 0 where the disk's `iostats` is off.
    pub start_time: Field,
}

/// A copy of what matters of a request, in a tracepoint's record. It does not say which request it is.
#[derive(Clone, Copy, Debug)]
pub struct RecordRequest {
    /// The size in bytes, u32.
    pub bytes: Field,
    /// The disk's number in the kernel's own form, u32.
    pub dev: Field,
    /// The name of the task that runs, 16 bytes.
    pub comm: Field,
}

/// Where a request is, in the record of a tracepoint that it passes.
#[derive(Clone, Copy, Debug)]
pub struct RecordPlace {
    /// The disk's number in the kernel's own form, u32.
    pub dev: Field,
    /// The first sector, u64.
    pub sector: Field,
    /// The number of sectors, u32: of the request, or of the part that ends.
    pub nr_sector: Field,
    /// What it does, in letters, of which this is the first: `R`, `W`, `D`.
    pub rwbs: Field,
}

const RECORD: &str = "trace_event_raw_block_rq";

/// A place where a program meets a request, and how it is attached there: at the entry of one of
/// `functions`, whose first argument the request is, or at the tracepoint `category`/`name`.
#[derive(Clone, Copy, Debug)]
pub struct RequestPlace {
    /// How.
    pub kind: AttachKind,
    /// The first of them that the kernel has.
    pub functions: &'static [&'static str],
    /// Category and name.
    pub tracepoint: (&'static str, &'static str),
}

impl RequestPlace {
    /// The types that tell it.
    fn types(&self) -> Vec<(TypeKind, String)> {
        match self.kind {
            AttachKind::Fentry => {
                self.functions.iter().map(|name| (TypeKind::Func, (*name).to_owned())).collect()
            }
            AttachKind::TpBtf | AttachKind::RawTp => {
                vec![(TypeKind::Typedef, typedef(self.tracepoint.1))]
            }
            _ => vec![],
        }
    }

    /// How a program is attached there and finds the request, as far as the types tell.
    pub(super) fn request(
        &self,
        found: Option<&mut RequestTypes>,
        types: &KernelTypes,
    ) -> Result<(Attach, Request), Error> {
        if self.kind != AttachKind::Tracepoint {
            let (attach, request) = self.struct_request(found, types)?;
            return Ok((attach, Request::Struct(request)));
        }
        let (category, name) = self.tracepoint;
        let attach = Tracepoint::new(category, name).into();
        Ok((attach, Request::Record(RecordRequest::find(category, name, types)?)))
    }

    /// Finds the place for a program that needs the request itself; a tracepoint's record does not lead to it.
    fn struct_request(
        &self,
        mut found: Option<&mut RequestTypes>,
        types: &KernelTypes,
    ) -> Result<(Attach, StructRequest), Error> {
        let own = !types.are_from_file();
        let (functions, (_, name)) = (self.functions, self.tracepoint);
        let (attach, argument, access) = match self.kind {
            AttachKind::Tracepoint => {
                return Err(Error::lacking("a tracepoint's record does not identify its request")
                    .hint("try: --attach raw_tp"));
            }
            AttachKind::Kprobe => {
                let registers = registers::host().ok_or_else(|| {
                    let arch = std::env::consts::ARCH;
                    Error::lacking(format!(
                        "the registers of a function's arguments on {arch} are unknown"
                    ))
                    .hint("try: --attach tp_btf")
                })?;
                let functions = functions.iter().map(|name| (*name).to_owned()).collect();
                (Attach::from(Kprobe::first_of(functions)), registers.arguments[0], Access::Probe)
            }
            AttachKind::Fentry => {
                let id = |name: &str| Some(found.as_ref()?.find(TypeKind::Func, name)?.0);
                let known = functions.iter().find_map(|name| Some((*name, id(name)?)));
                let (name, id) = known.map_or(
                    (functions.first().copied().unwrap_or_default(), None),
                    |(name, id)| (name, Some(id)),
                );
                let attach = Fentry::new(name, id.filter(|_| own), At::Entry);
                (attach.into(), 0, Access::Typed)
            }
            _ => {
                let trace = found.as_mut().map(|found| found.trace_args(self.tracepoint.1));
                let trace = trace.transpose().map_err(|error| types.error(&error))?.flatten();
                // Until 5.11, and in some 5.10, the request's queue comes first.
                let argument = if trace.is_some_and(|trace| trace.args == 2) { 8 } else { 0 };
                if self.kind == AttachKind::TpBtf {
                    let id = trace.map(|trace| trace.type_id).filter(|_| own);
                    (TpBtf::new(name, id).into(), argument, Access::Typed)
                } else {
                    (RawTp::new(name).into(), argument, Access::Probe)
                }
            }
        };
        let mut request = StructRequest::through(argument, access);
        if let Some(found) = found {
            found.place(&mut request).map_err(|error| types.error(&error))?;
        }
        Ok((attach, request))
    }
}

impl Request {
    /// Where a program finds the request when it is attached there. The disk is looked up only
    /// `with_disk`. What this host does not tell stays unknown.
    ///
    /// # Errors
    /// The kernel's types cannot be read, or this architecture's registers are not known.
    pub fn find(
        place: RequestPlace,
        types: &KernelTypes,
        with_disk: bool,
    ) -> Result<(Attach, Request), Error> {
        let mut found = RequestTypes::look_up(&[place], types, with_disk, &[])?;
        place.request(found.as_mut(), types)
    }
}

impl RecordRequest {
    fn find(category: &str, name: &str, types: &KernelTypes) -> Result<RecordRequest, Error> {
        let members = ["bytes", "dev", "comm"];
        let [bytes, dev, comm] = record(RECORD, members, (category, name), types)?;
        Ok(RecordRequest { bytes, dev, comm })
    }
}

impl RecordPlace {
    /// Where a request is, in the record of `block_rq_issue`, `block_rq_complete` or `block_rq_requeue`. What
    /// this host does not tell stays unknown.
    ///
    /// # Errors
    /// The kernel's types cannot be read.
    pub fn find(name: &'static str, types: &KernelTypes) -> Result<RecordPlace, Error> {
        let of = match name {
            "block_rq_complete" => "trace_event_raw_block_rq_completion",
            "block_rq_requeue" => "trace_event_raw_block_rq_requeue",
            _ => RECORD,
        };
        let members = ["dev", "sector", "nr_sector", "rwbs"];
        let [dev, sector, nr_sector, rwbs] = record(of, members, ("block", name), types)?;
        Ok(RecordPlace { dev, sector, nr_sector, rwbs })
    }
}

/// Members of a tracepoint's record, which the kernel's types call `of`.
fn record<const N: usize>(
    of: &'static str,
    members: [&'static str; N],
    (category, name): (&str, &str),
    types: &KernelTypes,
) -> Result<[Field; N], Error> {
    let mut fields = members.map(|member| field(of, member));
    // Only root may read tracefs; the types tell everybody the same.
    let tracefs = Tracefs::find().filter(|_| !types.are_from_file());
    if let Some(format) = tracefs.and_then(|t| t.tracepoint_format(category, name).ok()) {
        for field in &mut fields {
            field.offset = format.field(field.member).map(|found| found.offset as i32);
        }
    } else if let Some(mut btf) = types.btf()? {
        let asked = fields.map(|field| (field.of, field.member));
        let places = btf.placements(&asked).map_err(|error| types.error(&error))?;
        for (field, place) in fields.iter_mut().zip(places) {
            field.offset = place.map(|place| place.offset as i32);
        }
    }
    Ok(fields)
}

impl StructRequest {
    /// As [`Request::find`] for programs that need the request itself, at each of these places by one
    /// walk over the types; and whether programs can compare and exchange in one step (`cmpxchg`): whether
    /// the types are of Linux 5.19 or newer.
    ///
    /// # Errors
    /// As for [`Request::find`]; or a place is a tracepoint with a record, which does not tell the request.
    pub fn find_with_cmpxchg<const N: usize>(
        places: [RequestPlace; N],
        types: &KernelTypes,
        with_disk: bool,
    ) -> Result<([(Attach, StructRequest); N], bool), Error> {
        // It came with Linux 5.12, but some architectures compiled it only later.
        let (kind, name) = (TypeKind::Struct, "bpf_dynptr_kern");
        let mut found = RequestTypes::look_up(&places, types, with_disk, &[(kind, name)])?;
        let has_cmpxchg = found.as_ref().is_some_and(|found| found.find(kind, name).is_some());
        let requests = places.iter().map(|place| place.struct_request(found.as_mut(), types));
        let requests = requests.collect::<Result<Vec<_>, Error>>()?.try_into();
        let requests = requests.map_err(|_| Error::failed("a place of a request is missing"))?;
        Ok((requests, has_cmpxchg))
    }

    /// By a pointer `argument` bytes into the context, its fields yet to be placed.
    fn through(argument: i32, access: Access) -> StructRequest {
        StructRequest {
            argument,
            access,
            data_len: field("request", "__data_len"),
            cmd_flags: field("request", "cmd_flags"),
            disk: [Some(field("request", "q")), Some(field("request_queue", "disk"))],
            major: field("gendisk", "major"),
            first_minor: field("gendisk", "first_minor"),
            disk_name: field("gendisk", "disk_name"),
            start_time: field("request", "start_time_ns"),
        }
    }
}

/// The structs that a request leads through.
const STRUCTS: [&str; 3] = ["request", "request_queue", "gendisk"];

/// What one walk over the types found.
pub(super) struct RequestTypes<'a> {
    btf: Btf<'a>,
    wanted: Vec<(TypeKind, String)>,
    /// Each of them with its id.
    types: Vec<Option<(u32, Type<'a>)>>,
}

impl<'a> RequestTypes<'a> {
    /// The types that tell these places and their requests, and more of them; `None` if nothing is to
    /// be known, or no types tell.
    pub(super) fn look_up(
        places: &[RequestPlace],
        types: &'a KernelTypes,
        with_disk: bool,
        more: &[(TypeKind, &str)],
    ) -> Result<Option<RequestTypes<'a>>, Error> {
        if places.iter().all(|place| place.kind == AttachKind::Tracepoint) {
            return Ok(None);
        }
        let structs = if with_disk { &STRUCTS[..] } else { &STRUCTS[..1] };
        RequestTypes::walk(places, types, structs, more)
    }

    /// The request's own type and these.
    pub(super) fn find_more(
        types: &'a KernelTypes,
        more: &[(TypeKind, &str)],
    ) -> Result<Option<RequestTypes<'a>>, Error> {
        RequestTypes::walk(&[], types, &STRUCTS[..1], more)
    }

    fn walk(
        places: &[RequestPlace],
        types: &'a KernelTypes,
        structs: &[&str],
        more: &[(TypeKind, &str)],
    ) -> Result<Option<RequestTypes<'a>>, Error> {
        let Some(mut btf) = types.btf()? else { return Ok(None) };
        let own = |(kind, name): &(TypeKind, &str)| (*kind, (*name).to_owned());
        let structs = structs.iter().map(|name| (TypeKind::Struct, (*name).to_owned()));
        let wanted = places.iter().flat_map(RequestPlace::types).chain(structs);
        let wanted: Vec<(TypeKind, String)> = wanted.chain(more.iter().map(own)).collect();
        let names: Vec<(TypeKind, &str)> =
            wanted.iter().map(|(kind, name)| (*kind, &**name)).collect();
        let by_id =
            |place: &RequestPlace| matches!(place.kind, AttachKind::Fentry | AttachKind::TpBtf);
        let found = if places.iter().any(by_id) {
            btf.find_all(&names)
        } else {
            // Without an id to count up to, sorted types can be searched.
            let records = btf.find_records(&names);
            records.map(|found| found.into_iter().map(|record| Some((0, record?))).collect())
        };
        let types = found.map_err(|error| types.error(&error))?;
        Ok(Some(RequestTypes { btf, wanted, types }))
    }

    /// One of the types that were looked up, with its id if a place is attached by that.
    pub(super) fn find(&self, kind: TypeKind, name: &str) -> Option<(u32, Type<'a>)> {
        let index = self.wanted.iter().position(|(of, own)| *of == kind && own == name)?;
        self.types[index]
    }

    /// What this tracepoint hands over.
    pub(super) fn trace_args(&mut self, tracepoint: &str) -> Result<Option<TraceArgs>, BtfError> {
        let found = self.find(TypeKind::Typedef, &typedef(tracepoint));
        found.map(|(id, typedef)| self.btf.trace_args_of(id, &typedef)).transpose()
    }

    /// Where this field is.
    pub(super) fn offset(&mut self, field: Field) -> Result<Option<i32>, BtfError> {
        let Some((_, record)) = self.find(TypeKind::Struct, field.of) else { return Ok(None) };
        let place = self.btf.placement_in(&record, field.member)?;
        Ok(place.and_then(|place| i32::try_from(place.offset).ok()))
    }

    fn place(&mut self, request: &mut StructRequest) -> Result<(), BtfError> {
        let StructRequest {
            data_len,
            cmd_flags,
            disk,
            major,
            first_minor,
            disk_name,
            start_time,
            ..
        } = request;
        // Until 5.15 the request knew its disk.
        let direct = field("request", "rq_disk");
        if self.offset(direct)?.is_some() {
            *disk = [Some(direct), None];
        }
        let others = [data_len, cmd_flags, major, first_minor, disk_name, start_time];
        for field in others.into_iter().chain(disk.iter_mut().flatten()) {
            field.offset = self.offset(*field)?;
        }
        Ok(())
    }
}

/// The type that describes a tracepoint's arguments.
fn typedef(tracepoint: &str) -> String {
    format!("btf_trace_{tracepoint}")
}

pub(super) fn field(of: &'static str, member: &'static str) -> Field {
    Field { of, member, offset: None }
}
