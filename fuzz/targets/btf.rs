//! Types answer whatever is asked of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::{Btf, TypeKind};
use rawbpf_fuzz::look;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut btf) = Btf::parse(bytes) else { return };
    for (name, path) in [("request", "__data_len"), ("outer", "plain.a"), ("key", "pid")] {
        look(btf.field(name, path));
        look(btf.find(TypeKind::Struct, name));
        look(btf.trace_args(name));
    }
    for id in 0..64 {
        look((btf.size_of(id), btf.number(id), btf.pointee(id), btf.record_of(id)));
        let Ok(found) = btf.by_id(id) else { continue };
        look((found.name(), found.array(), found.enumerators().count()));
        look((btf.signature(&found), btf.member_names(&found)));
        for member in found.members() {
            look(member.name());
        }
    }
});
