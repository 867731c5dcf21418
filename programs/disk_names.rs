//! The names of disks by their numbers, for kernels that report no numbers of hidden disks: Linux 5.10 to 5.15.

use crate::host::StructRequest;
use crate::insn::{Cond::Ne, *};
use crate::programs::request::{load_disk, load_gendisk};
use crate::source_text;
use crate::sys::map::{MapSpec, MapType};

static SOURCE: SourceText = source_text!("disk_names.rs");

/// The bytes of a name.
pub const NAME: u32 = 32;

/// A name for each number, of up to 256 disks.
pub fn map() -> MapSpec {
    MapSpec::new("disk_names", MapType::Hash, 4, NAME, 256)
}

/// `names[disk] = disk.name`, once for each disk that a request is issued to.
pub fn program(request: &StructRequest, names: MapRef) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let out = a.label();
    a.frame.place_for_reads();
    let (key, name) = (a.frame.place(4), a.frame.place(NAME));
    let StructRequest { argument, access, disk_name, .. } = *request;

    a.load(r6, u64_at(r1 + argument));
    load_disk(&mut a, request, &out);
    a.store(u32_at(key), r8);
    a.lookup(names, key);
    a.jump_if(r0, Ne, 0, &out);
    load_gendisk(&mut a, request, &out);
    for at in (0..NAME as i32).step_by(8) {
        let offset = disk_name.offset.map(|offset| offset + at);
        a.read(access, r8, u64_at(r7 + Field { offset, ..disk_name }), &out);
        a.store(u64_at(name + at), r8);
    }
    a.update(names, key, name);
    a.place(out);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}
