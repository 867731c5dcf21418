//! The answers of `rawbpf::btf` against those of a parser that reads everything, on the BTF of the
//! kernel that runs, or of another one: `RAWBPF_BTF=file cargo test --test btf_host`.

use rawbpf::btf::{Btf, BtfFunction, BtfLine, ProgramBtf, TypeKind};
use rawbpf::host::KernelTypes;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The blob and everything in it; none where there is nothing to compare with, and it says so.
static KERNEL: LazyLock<Option<(Vec<u8>, Naive)>> = LazyLock::new(|| {
    let path = std::env::var("RAWBPF_BTF").unwrap_or("/sys/kernel/btf/vmlinux".into());
    match std::fs::read(&path) {
        Ok(blob) if blob.starts_with(&[0x9f, 0xeb]) => {
            let naive = Naive::new(&blob);
            return Some((blob, naive));
        }
        Ok(_) => eprintln!("skipped: {path} is not little-endian"),
        Err(error) => eprintln!("skipped: {path}: {error}"),
    }
    None
});

/// Every record and every string of a little-endian blob, read in the plainest way.
struct Naive {
    /// By id; 0 is void.
    types: Vec<Record>,
    /// The first id of each kind and name.
    ids: HashMap<(u32, String), u32>,
}

#[derive(Default, Clone)]
struct Record {
    kind: u32,
    name: String,
    size_or_type: u32,
    vlen: u32,
    members: Vec<(String, u32, u32, u32)>, // name, type, bit offset, bitfield bits
    array: (u32, u32),
}

impl Naive {
    fn new(blob: &[u8]) -> Self {
        let word = |at: usize| u32::from_le_bytes(blob[at..at + 4].try_into().unwrap());
        let header_len = word(4) as usize;
        let mut at = header_len + word(8) as usize;
        let end = at + word(12) as usize;
        let strings = header_len + word(16) as usize;
        let text = |offset: u32| {
            let begin = strings + offset as usize;
            let len = blob[begin..].iter().position(|byte| *byte == 0).unwrap();
            String::from_utf8(blob[begin..begin + len].to_vec()).unwrap()
        };
        let mut types = vec![Record::default()];
        let mut ids = HashMap::new();
        while at < end {
            let info = word(at + 4);
            let (kind, vlen) = (info >> 24 & 0x7f, info & 0xff_ffff);
            let mut record = Record {
                kind,
                name: text(word(at)),
                size_or_type: word(at + 8),
                vlen,
                ..Record::default()
            };
            at += 12;
            match kind {
                1 | 14 | 17 => at += 4,
                3 => {
                    record.array = (word(at), word(at + 8));
                    at += 12;
                }
                4 | 5 => {
                    for _ in 0..vlen {
                        let bits = word(at + 8);
                        let (offset, width) = match info >> 31 {
                            1 => (bits & 0xff_ffff, bits >> 24),
                            _ => (bits, 0),
                        };
                        let member = (text(word(at)), word(at + 4), offset, width);
                        record.members.push(member);
                        at += 12;
                    }
                }
                6 | 13 => at += 8 * vlen as usize,
                15 | 19 => at += 12 * vlen as usize,
                2 | 7..=12 | 16 | 18 => {}
                _ => panic!("kind {kind}"),
            }
            let id = types.len() as u32;
            ids.entry((kind, record.name.clone())).or_insert(id);
            types.push(record);
        }
        assert_eq!(at, end);
        Self { types, ids }
    }

    fn id(&self, kind: TypeKind, name: &str) -> Option<u32> {
        self.ids.get(&(kind as u32, name.to_owned())).copied()
    }

    fn strip(&self, mut id: u32) -> &Record {
        while let 8..=11 | 18 = self.types[id as usize].kind {
            id = self.types[id as usize].size_or_type;
        }
        &self.types[id as usize]
    }

    fn size(&self, id: u32) -> u32 {
        let record = self.strip(id);
        match record.kind {
            2 => 8,
            3 => record.array.1 * self.size(record.array.0),
            _ => record.size_or_type,
        }
    }

    /// Every member that C can name: name, type, bit offset, bitfield bits.
    fn members(&self, record: &Record) -> Vec<(String, u32, u32, u32)> {
        let mut all = vec![];
        for (name, type_id, offset, width) in &record.members {
            if !name.is_empty() {
                all.push((name.clone(), *type_id, *offset, *width));
            } else if *width == 0 {
                let inner = self.members(self.strip(*type_id));
                all.extend(inner.into_iter().map(|(n, t, o, w)| (n, t, o + offset, w)));
            }
        }
        all
    }

    /// Offset and size.
    fn field(&self, name: &str, path: &str) -> Option<(u32, u32)> {
        let mut id = self.id(TypeKind::Struct, name)?;
        let mut bits = 0;
        for part in path.split('.') {
            let members = self.members(self.strip(id));
            let found = members.into_iter().find(|member| member.0 == part)?;
            (id, bits) = (found.1, bits + found.2);
        }
        Some((bits / 8, self.size(id)))
    }
}

const FIELDS: &[(&str, &str)] = &[
    ("request", "q"),
    ("request", "__data_len"),
    ("request", "__sector"),
    ("request", "cmd_flags"),
    ("request", "bio"),
    ("request", "biotail"),
    ("request", "rq_disk"),
    ("request", "part"),
    ("request", "start_time_ns"),
    ("request", "io_start_time_ns"),
    ("request", "state"),
    ("request", "ref"),
    ("request_queue", "disk"),
    ("gendisk", "major"),
    ("gendisk", "first_minor"),
    ("gendisk", "disk_name"),
    ("gendisk", "part0"),
    ("bio", "bi_opf"),
    ("bio", "bi_bdev"),
    ("bio", "bi_iter"),
    ("bio", "bi_iter.bi_size"),
    ("bio", "bi_iter.bi_sector"),
    ("block_device", "bd_dev"),
    ("task_struct", "pid"),
    ("task_struct", "tgid"),
    ("task_struct", "comm"),
    ("task_struct", "cred"),
    ("task_struct", "se.sum_exec_runtime"),
    ("cred", "uid.val"),
    ("sk_buff", "len"),
    ("sk_buff", "data"),
    ("sock", "__sk_common.skc_dport"),
    ("sock", "__sk_common.skc_daddr"),
    ("page", "mapping"),
    ("page", "lru.next"),
    ("file", "f_path.dentry"),
    ("no_such_struct", "a"),
];

#[test]
fn fields_are_where_a_full_parse_finds_them() {
    let Some((blob, naive)) = &*KERNEL else {
        return;
    };
    let found = Btf::parse(blob).unwrap().fields(FIELDS).unwrap();
    let placed = Btf::parse(blob).unwrap().placements(FIELDS).unwrap();
    let mut there = 0;
    for (((name, path), found), placed) in FIELDS.iter().zip(&found).zip(&placed) {
        let found = found.map(|field| (field.offset, field.size));
        assert_eq!(found, naive.field(name, path), "{name}.{path}");
        let offset = placed.map(|placed| placed.offset);
        assert_eq!(offset, found.map(|found| found.0), "{name}.{path}");
        there += u32::from(found.is_some());
    }
    assert!(there >= 25, "only {there} of the fields are in this kernel");
}

/// Every member of every 20th struct.
#[test]
fn a_sample_of_all_structs_is_read_as_a_full_parse_reads_it() {
    let Some((blob, naive)) = &*KERNEL else {
        return;
    };
    let mut btf = Btf::parse(blob).unwrap();
    let named =
        |record: &&Record| record.kind == TypeKind::Struct as u32 && !record.name.is_empty();
    let mut compared = 0;
    for Record { name, .. } in naive.types.iter().filter(named).step_by(20) {
        // Of several structs of this name both take the first.
        let first = &naive.types[naive.id(TypeKind::Struct, name).unwrap() as usize];
        let found = btf.find(TypeKind::Struct, name).unwrap().unwrap();
        assert_eq!(found.size_or_type(), first.size_or_type, "{name}");
        for (member, type_id, bits, width) in naive.members(first) {
            let field = btf.field_in(&found, &member);
            if width != 0 || bits % 8 != 0 {
                assert!(field.is_err(), "{name}.{member}");
                continue;
            }
            let field = field.unwrap().unwrap();
            let expected = (bits / 8, naive.size(type_id), type_id);
            let field = (field.offset, field.size, field.type_id);
            assert_eq!(field, expected, "{name}.{member}");
            compared += 1;
        }
    }
    assert!(compared > 1000, "only {compared} members compared");
}

#[test]
fn ids_are_those_of_a_full_parse() {
    let Some((blob, naive)) = &*KERNEL else {
        return;
    };
    let mut btf = Btf::parse(blob).unwrap();
    for (id, record) in naive.types.iter().enumerate().skip(1) {
        let read = btf.by_id(id as u32).unwrap();
        assert_eq!(read.kind() as u32, record.kind);
        assert_eq!(read.name().unwrap(), record.name.as_bytes());
    }
    assert!(btf.by_id(naive.types.len() as u32).is_err());
    let wanted = [
        (TypeKind::Func, "vfs_read"),
        (TypeKind::Func, "blk_mq_start_request"),
        (TypeKind::Typedef, "btf_trace_block_rq_issue"),
        (TypeKind::Struct, "request"),
        (TypeKind::Enum, "req_op"),
        (TypeKind::Int, "int"),
        (TypeKind::Union, "request"),
    ];
    let found = btf.find_all(&wanted).unwrap();
    for ((kind, name), found) in wanted.into_iter().zip(found) {
        assert_eq!(found.map(|found| found.0), naive.id(kind, name), "{name}");
    }
}

#[test]
fn block_tracepoints_have_the_arguments_a_full_parse_finds() {
    let Some((blob, naive)) = &*KERNEL else {
        return;
    };
    let mut btf = Btf::parse(blob).unwrap();
    let mut compared = 0;
    for ((kind, name), id) in &naive.ids {
        let Some(name) = name.strip_prefix("btf_trace_") else {
            continue;
        };
        if *kind != TypeKind::Typedef as u32 || !name.starts_with("block_") {
            continue;
        }
        let found = btf.trace_args(name).unwrap().unwrap();
        let pointer = naive.types[*id as usize].size_or_type;
        let proto = naive.types[pointer as usize].size_or_type;
        let expected = (*id, naive.types[proto as usize].vlen - 1);
        assert_eq!((found.type_id, found.args), expected, "{name}");
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} block tracepoints");
}

/// The kernel's `union bpf_attr`, filled by byte offset.
struct Attr([u8; 144]);

impl Attr {
    fn new() -> Self {
        Self([0; 144])
    }

    fn u32(mut self, at: usize, value: u32) -> Self {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn pointer<T>(mut self, at: usize, to: &[T]) -> Self {
        self.0[at..at + 8].copy_from_slice(&(to.as_ptr() as u64).to_ne_bytes());
        self
    }

    /// The log's address and size, both at their place in the command's attributes.
    fn log(mut self, at: usize, size_at: usize, log: &mut [u8]) -> Self {
        let address = log.as_mut_ptr() as u64;
        self.0[at..at + 8].copy_from_slice(&address.to_ne_bytes());
        self.u32(size_at, log.len() as u32)
    }

    fn call(self, command: i32) -> std::io::Result<i32> {
        // SAFETY: the callers keep what the attributes point to until the call is over, and give
        // the log, the only part the kernel writes to, as a buffer of its own.
        let fd = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_ptr(), self.0.len()) };
        match fd {
            0.. => Ok(fd as i32),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
}

/// A program of two functions, whose lines the verifier repeats in its log.
/// It was read before: memory that a file is mapped to ends where somebody cuts the file off.
#[test]
fn the_types_of_a_file_outlive_what_is_done_to_the_file() {
    let name = |number| format!("function_of_a_long_name_{number}");
    let names: Vec<String> = (0..1000).map(name).collect();
    let function = |(slot, name)| BtfFunction { name, parameters: &["ctx"], slot };
    let functions: Vec<_> = (0..).zip(names.iter().map(String::as_str)).map(function).collect();
    let path = std::env::temp_dir().join(format!("rawbpf-test-{}-cut.btf", std::process::id()));
    std::fs::write(&path, ProgramBtf::new(&functions, &[]).btf).unwrap();
    let types = KernelTypes::new(Some(&path)).unwrap();
    std::fs::File::create(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut btf = types.btf().unwrap().unwrap();
    assert!(btf.find_id(TypeKind::Func, &names[999]).unwrap().is_some());
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_kernel_takes_what_is_written() {
    const BTF_LOAD: i32 = 18;
    const PROG_LOAD: i32 = 5;
    let functions = [
        BtfFunction { name: "two-functions", parameters: &["ctx"], slot: 0 },
        BtfFunction { name: "second", parameters: &["value", "other"], slot: 4 },
    ];
    let line = |slot, line, text| BtfLine { slot, file: "programs/two.rs", line, column: 5, text };
    let lines = [
        line(0, 10, "a.load_wide(r1, 7);"),
        line(2, 11, "a.call(second);"),
        line(3, 12, "a.exit();"),
        line(4, 4_194_302, "a.mov(r0, 0);"),
        line(5, u32::MAX, "a.exit(); // far away"),
    ];
    let written = ProgramBtf::new(&functions, &lines);

    let mut log = vec![0u8; 1 << 16];
    let loaded = Attr::new()
        .pointer(0, &written.btf)
        .log(8, 20, &mut log)
        .u32(16, written.btf.len() as u32)
        .u32(24, 1) // btf_log_level
        .call(BTF_LOAD);
    let btf = loaded.unwrap_or_else(|e| panic!("{e}\n{}", String::from_utf8_lossy(&log)));

    let instruction = |opcode: u8, dst: u8, src: u8, immediate: i32| {
        let registers = match cfg!(target_endian = "little") {
            true => src << 4 | dst,
            false => dst << 4 | src,
        };
        let mut bytes = [opcode, registers, 0, 0, 0, 0, 0, 0];
        bytes[4..].copy_from_slice(&immediate.to_ne_bytes());
        bytes
    };
    let program = [
        instruction(0x18, 1, 0, 7), // r1 = 7 ll
        instruction(0, 0, 0, 0),
        instruction(0x85, 0, 1, 1), // call pc+1
        instruction(0x95, 0, 0, 0), // exit
        instruction(0xb7, 0, 0, 0), // r0 = 0
        instruction(0x95, 0, 0, 0), // exit
    ];
    let func_infos = written.func_info.len() as u32 / ProgramBtf::FUNC_INFO_SIZE;
    let line_infos = written.line_info.len() as u32 / ProgramBtf::LINE_INFO_SIZE;
    let loaded = Attr::new()
        .u32(0, 1) // BPF_PROG_TYPE_SOCKET_FILTER
        .u32(4, program.len() as u32)
        .pointer(8, &program)
        .pointer(16, b"GPL\0")
        .u32(24, 2) // log_level
        .log(32, 28, &mut log)
        .u32(72, btf as u32)
        .u32(76, ProgramBtf::FUNC_INFO_SIZE)
        .pointer(80, &written.func_info)
        .u32(88, func_infos)
        .u32(92, ProgramBtf::LINE_INFO_SIZE)
        .pointer(96, &written.line_info)
        .u32(104, line_infos)
        .call(PROG_LOAD);
    let log = String::from_utf8_lossy(&log);
    loaded.unwrap_or_else(|error| panic!("{error}\n{log}"));
    for line in &lines {
        let source = format!("; {}", line.text);
        assert!(log.contains(&source), "{source}\n{log}");
    }
}
