//! Which case runs on which kernel: the one table.
//!
//! A row is `NAME: "FUNCTION ARGUMENT..." => CHECK;`: the test's name, the function of a script in
//! `guest/tools/` that the guest runs, and what must be true of its output. A group is a macro that
//! hands its rows on, so that groups chain: `everywhere!(with_nvme kernel vm_6_1 "6.1" (X86_64))`.

macro_rules! everywhere {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            argdist_kprobe_virtio: "argdist_sizes kprobe vda arg0->__data_len" => argdist::mixed;
            argdist_kprobe_null_blk: "argdist_sizes kprobe nullb0 arg0->__data_len" => argdist::mixed;
            argdist_auto_by_name_linear: "argdist_sizes auto vda rq->__data_len --linear 0,131072,4096" => argdist::mixed;
            argdist_field: "argdist_at_tracepoint tracepoint bytes" => argdist::mixed;
            argdist_tp_btf: "argdist_at_tracepoint tp_btf arg0->__data_len" => argdist::mixed;
            argdist_raw_tp: "argdist_at_tracepoint raw_tp arg0->__data_len" => argdist::mixed;
            argdist_two_pointers_kprobe: "argdist_queue blk_mq_start_request kprobe" => argdist::queue;
            argdist_two_pointers_tp_btf: "argdist_queue block:block_rq_issue tp_btf" => argdist::queue;
            argdist_argument_kprobe: "argdist_reads kprobe arg2 --custom 4099,4100" => argdist::reads;
            argdist_pointer_kprobe: "argdist_reads kprobe arg0" => argdist::as_many_reads;
            argdist_signed_tp_btf: "argdist_signed tp_btf" => argdist::signed;
            argdist_signed_raw_tp: "argdist_signed raw_tp" => argdist::signed;
            argdist_user_argument: "argdist_user arg0" => argdist::naps;
            argdist_user_result: "argdist_user retval" => argdist::of_naps;
            argdist_misspelt: "argdist_misspelt" => argdist::meant;
            argdist_module_untyped: "argdist_module_untyped null_queue_rq" => argdist::untyped;
            argdist_module_named_untyped: "argdist_module_untyped null_blk:null_queue_rq" => argdist::untyped;
            argdist_module_misspelt: "argdist_module_misspelt" => argdist::meant_of_module;
            argdist_struct_result_kprobe: "argdist_owners kprobe" => argdist::owners;
            argdist_strings_kprobe: "argdist_strings kprobe" => argdist::zeros;
            argdist_comms_of_record: "argdist_comms sched:sched_process_exit comm tracepoint" => argdist::comms;
            argdist_comms_tp_btf: "argdist_comms sched:sched_process_exit arg0->comm tp_btf" => argdist::comms;
            argdist_comms_raw_tp: "argdist_comms sched:sched_process_exit arg0->comm raw_tp" => argdist::comms;
            argdist_files_of_record: "argdist_comms sched:sched_process_exec filename tracepoint" => argdist::files;
            attach_without_ftrace: "attach_silent /proc/sys/kernel/ftrace_enabled" => attach::without_ftrace;
            attach_many: "attach_many" => attach::shown_until_it_is_gone;
            attach_calls: "attach_calls" => attach::calls;
            biolatency_timed_kprobe: "biolatency_timed kprobe" => biolatency::timed;
            biolatency_timed_tp_btf: "biolatency_timed tp_btf" => biolatency::timed;
            biolatency_timed_raw_tp: "biolatency_timed raw_tp" => biolatency::timed;
            biolatency_timed_tracepoint: "biolatency_timed tracepoint" => biolatency::timed;
            biolatency_timed_queued: "biolatency_timed auto -Q" => biolatency::timed;
            biolatency_timed_queued_raw_tp: "biolatency_timed raw_tp -Q" => biolatency::timed;
            biolatency_timed_msecs: "biolatency_timed auto -m" => biolatency::timed_in_msecs;
            biolatency_parallel_kprobe_virtio: "biolatency_parallel kprobe vda" => biolatency::parallel;
            biolatency_parallel_tp_btf_virtio: "biolatency_parallel tp_btf vda" => biolatency::parallel;
            biolatency_parallel_tp_btf_null_blk: "biolatency_parallel tp_btf nullb0" => biolatency::parallel;
            biolatency_parallel_tracepoint_virtio: "biolatency_parallel tracepoint vda" => biolatency::parallel_by_record;
            biolatency_without_types: "biolatency_without_types" => biolatency::without_types;
            biolatency_requeued_tracepoint: "biolatency_requeued_tracepoint" => biolatency::requeued_by_record;
            biolatency_requeued: "biolatency_requeued" => biolatency::requeued;
            biolatency_flags_kprobe_virtio: "biolatency_flags kprobe vda" => biolatency::flags;
            biolatency_flags_raw_tp_null_blk: "biolatency_flags raw_tp nullb0" => biolatency::flags;
            biolatency_beyond: "biolatency_beyond" => biolatency::beyond;
            biolatency_by_disk: "biolatency_by_disk" => biolatency::by_disk;
            biolatency_flush: "biolatency_flush" => biolatency::flush;
            biolatency_sum_over_intervals: "biolatency_intervals" => biolatency::intervals;
            bitehist_kprobe_virtio: "bitehist_mixed kprobe vda" => bitehist::mixed;
            bitehist_kprobe_null_blk: "bitehist_mixed kprobe nullb0" => bitehist::mixed;
            bitehist_tp_btf_virtio: "bitehist_mixed tp_btf vda" => bitehist::mixed;
            bitehist_tp_btf_null_blk: "bitehist_mixed tp_btf nullb0" => bitehist::mixed;
            bitehist_raw_tp_virtio: "bitehist_mixed raw_tp vda" => bitehist::mixed;
            bitehist_raw_tp_null_blk: "bitehist_mixed raw_tp nullb0" => bitehist::mixed;
            bitehist_tracepoint_virtio: "bitehist_mixed tracepoint vda" => bitehist::mixed;
            bitehist_tracepoint_null_blk: "bitehist_mixed tracepoint nullb0" => bitehist::mixed;
            bitehist_auto_virtio: "bitehist_mixed auto vda" => bitehist::mixed_by_kprobe;
            bitehist_ctrl_c: "bitehist_mixed auto vda INT" => bitehist::mixed;
            bitehist_all_disks: "bitehist_all_disks" => bitehist::mixed_on_each;
            bitehist_three_tables: "bitehist_three_tables" => bitehist::three_empty;
            bitehist_sum_over_intervals: "bitehist_intervals" => bitehist::intervals;
            bitehist_kprobe_leaves_nothing: "bitehist_killed kprobe" => bitehist::left_nothing;
            bitehist_tp_btf_leaves_nothing: "bitehist_killed tp_btf" => bitehist::left_nothing;
            bitehist_raw_tp_leaves_nothing: "bitehist_killed raw_tp" => bitehist::left_nothing;
            bitehist_tracepoint_leaves_nothing: "bitehist_killed tracepoint" => bitehist::left_nothing;
            bitesize_kprobe_virtio: "bitesize_direct kprobe vda" => bitesize::direct;
            bitesize_tp_btf_virtio: "bitesize_direct tp_btf vda" => bitesize::direct;
            bitesize_raw_tp_virtio: "bitesize_direct raw_tp vda" => bitesize::direct;
            bitesize_auto_null_blk: "bitesize_direct auto nullb0" => bitesize::direct;
            bitesize_tracepoint_virtio: "bitesize_direct tracepoint vda" => bitesize::sum;
            bitesize_fsync_virtio: "bitesize_fsync auto vda" => bitesize::fsync;
            bitesize_flags_kprobe_virtio: "bitesize_flags kprobe vda" => bitesize::flags;
            bitesize_flags_raw_tp_null_blk: "bitesize_flags raw_tp nullb0" => bitesize::flags;
            bitesize_cgroup_kprobe_virtio: "bitesize_cgroup kprobe vda" => bitesize::cgroup;
            bitesize_cgroup_raw_tp_null_blk: "bitesize_cgroup raw_tp nullb0" => bitesize::cgroup;
            bitesize_comm_tracepoint_null_blk: "bitesize_comm tracepoint nullb0" => bitesize::comm;
            bitesize_filter_auto_virtio: "bitesize_filter auto vda" => bitesize::filter;
            bitesize_filter_tp_btf_null_blk: "bitesize_filter tp_btf nullb0" => bitesize::filter;
            bitesize_filter_tracepoint_null_blk: "bitesize_filter tracepoint nullb0" => bitesize::filter;
            bitesize_picture: "bitesize_text" => bitesize::text;
            funclatency_user: "funclatency_user" => funclatency::naps;
            bioheat_kprobe_virtio: "bioheat_mixed kprobe vda" => bioheat::mixed;
            bioheat_tp_btf_virtio: "bioheat_mixed tp_btf vda" => bioheat::mixed;
            bioheat_raw_tp_virtio: "bioheat_mixed raw_tp vda" => bioheat::mixed;
            bioheat_tracepoint_virtio: "bioheat_mixed tracepoint vda" => bioheat::mixed;
            bioheat_timed_tracepoint: "bioheat_timed tracepoint" => bioheat::timed;
            bioheat_auto_null_blk: "bioheat_mixed auto nullb0" => bioheat::mixed;
            whose_bitehist_kprobe: "whose bitehist kprobe" => whose::one_of_several;
            whose_biolatency_auto: "whose biolatency auto" => whose::one_of_several;
            whose_bioheat_raw_tp: "whose bioheat raw_tp" => whose::one_of_several;
            confined: "confined" => confined::all_tools;
            bioheat_timed_kprobe: "bioheat_timed kprobe" => bioheat::timed;
            bioheat_timed_tp_btf: "bioheat_timed tp_btf" => bioheat::timed;
            bioheat_timed_raw_tp: "bioheat_timed raw_tp" => bioheat::timed;
            doctor_table: "doctor_table" => doctor::table;
            run_once: "run_once" => run::once;
            run_attached_kprobe: "run_attached kprobe" => run::attached;
            run_attached_tp_btf: "run_attached tp_btf" => run::attached;
            run_attached_raw_tp: "run_attached raw_tp" => run::attached;
            lesson_course: "lesson_course" => lesson::course;
            lesson_last: "lesson_last" => lesson::last;
            lesson_explosion: "lesson_explosion" => lesson::explosion;
            list_tp_btf: "list_counted tp_btf" => list::counted_with_link;
            list_raw_tp: "list_counted raw_tp" => list::counted_with_link;
            list_kprobe: "list_counted kprobe" => list::counted;
            funccount_one_function: "funccount_by_function vfs_read vfs_write" => funccount::read_and_written;
            funccount_pattern: "funccount_by_function vfs_*" => funccount::read_and_written;
            funccount_module: "funccount_module null_blk:null_*" => funccount::of_module;
            funccount_module_function: "funccount_module null_blk:null_queue_rq" => funccount::of_module;
            funccount_with_tracepoint: "funccount_by_function vfs_read sched:sched_process_*" => funccount::read_and_exited;
            funccount_by_comm: "funccount_by comm" => funccount::by_comm;
            funccount_by_pid: "funccount_by pid" => funccount::by_pid;
            funccount_sum_over_intervals: "funccount_intervals" => funccount::intervals;
            funccount_leaves_nothing: "funccount_left" => funccount::left_nothing;
            funccount_misspelt: "funccount_misspelt" => funccount::meant;
            funccount_forbidden: "funccount_forbidden" => funccount::forbidden;
            refusal_unchecked: "refusal_unchecked" => refusal::unchecked;
            refusal_too_far: "refusal_too_far" => refusal::too_far;
            refusal_none: "refusal_none" => refusal::none;
            trace_sizes: "trace_sizes vda" => trace::sizes;
            trace_intervals: "trace_intervals" => trace::intervals;
            trace_structs: "trace_structs" => trace::structs;
            trace_stacks: "trace_stacks" => trace::stacks;
            trace_wildcard: "trace_wildcard" => trace::wildcard;
            trace_strings: "trace_strings" => trace::strings;
            trace_loops: "trace_loops" => trace::loops;
            trace_cases: "trace_cases" => trace::cases;
            verify_tools: "verify_tools" => verify::accepted;
            verify_branches: "verify_branches" => verify::branches;
            verify_objects: "verify_objects" => verify::objects;
            verify_against: "verify_against" => verify::against;
        }
    };
}

/// NVMe disks, and the disks with several paths that only they can be.
macro_rules! with_nvme {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            argdist_kprobe_nvme: "argdist_sizes kprobe nvme0n1 arg0->__data_len" => argdist::mixed;
            biolatency_parallel_kprobe_nvme: "biolatency_parallel kprobe nvme0n1" => biolatency::parallel;
            biolatency_parallel_tp_btf_nvme: "biolatency_parallel tp_btf nvme0n1" => biolatency::parallel;
            biolatency_parallel_raw_tp_nvme: "biolatency_parallel raw_tp nvme0n1" => biolatency::parallel;
            biolatency_parallel_tracepoint_nvme: "biolatency_parallel tracepoint nvme0n1" => biolatency::parallel_by_record;
            biolatency_flags_tp_btf_nvme: "biolatency_flags tp_btf nvme0n1" => biolatency::flags;
            biolatency_paths: "biolatency_paths" => biolatency::paths;
            argdist_fentry_nvme: "argdist_sizes fentry nvme0n1 arg0->__data_len" => argdist::mixed;
            bitehist_fentry_nvme: "bitehist_mixed fentry nvme0n1" => bitehist::mixed;
            bitehist_kprobe_nvme: "bitehist_mixed kprobe nvme0n1" => bitehist::mixed;
            bitehist_tp_btf_nvme: "bitehist_mixed tp_btf nvme0n1" => bitehist::mixed;
            bitehist_raw_tp_nvme: "bitehist_mixed raw_tp nvme0n1" => bitehist::mixed;
            bitehist_tracepoint_nvme: "bitehist_mixed tracepoint nvme0n1" => bitehist::mixed;
            bitehist_kprobe_multipath: "bitehist_mixed kprobe nvme1n1" => bitehist::mixed;
            bitehist_tp_btf_multipath: "bitehist_mixed tp_btf nvme1n1" => bitehist::mixed;
            bitesize_auto_nvme: "bitesize_direct auto nvme0n1" => bitesize::direct;
            bitesize_fsync_nvme: "bitesize_fsync auto nvme0n1" => bitesize::fsync;
            bitesize_flags_tp_btf_nvme: "bitesize_flags tp_btf nvme0n1" => bitesize::flags;
            bitesize_cgroup_tp_btf_nvme: "bitesize_cgroup tp_btf nvme0n1" => bitesize::cgroup;
            bitesize_comm_auto_nvme: "bitesize_comm auto nvme0n1" => bitesize::comm;
            bioheat_auto_nvme: "bioheat_mixed auto nvme0n1" => bioheat::mixed;
        }
    };
}

/// Where a program can be put at the entry or the end of a function by a trampoline, for which the kernel needs a JIT.
macro_rules! with_fentry {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            argdist_fentry_virtio: "argdist_sizes fentry vda arg0->__data_len" => argdist::mixed;
            argdist_fentry_null_blk: "argdist_sizes fentry nullb0 arg0->__data_len" => argdist::mixed;
            argdist_two_pointers_fentry: "argdist_queue blk_mq_start_request fentry" => argdist::queue;
            argdist_result_fentry: "argdist_reads fentry retval --custom 4099,4100" => argdist::reads;
            argdist_beside_fentry: "argdist_beside_fentry" => argdist::reads;
            trace_fentry: "trace_fentry" => trace::fentry;
            argdist_argument_by_name: "argdist_reads fentry count --custom 4099,4100" => argdist::reads;
            argdist_pointer_fentry: "argdist_reads fentry arg0" => argdist::as_many_reads;
            argdist_strings_fentry: "argdist_strings fentry" => argdist::zeros;
            argdist_user_strings_kprobe: "argdist_user_strings kprobe str(filename)" => argdist::opened;
            argdist_user_strings_fentry: "argdist_user_strings fentry str(filename)" => argdist::opened;
            biolatency_timed_fentry: "biolatency_timed fentry" => biolatency::timed;
            bitehist_fentry_virtio: "bitehist_mixed fentry vda" => bitehist::mixed;
            bitehist_fentry_null_blk: "bitehist_mixed fentry nullb0" => bitehist::mixed;
            bitehist_fentry_leaves_nothing: "bitehist_killed fentry" => bitehist::left_nothing;
            funclatency_fentry: "funclatency_sleeps fentry --custom 4096,8192,16384" => funclatency::sleeps;
            bitesize_fentry_virtio: "bitesize_direct fentry vda" => bitesize::direct;
            attach_auto: "attach_auto" => attach::cheapest;
            attach_without_kprobes: "attach_silent /sys/kernel/debug/kprobes/enabled" => attach::without_kprobes;
            attach_crowd: "attach_crowd" => attach::crowd;
            funclatency_crowd_fentry: "funclatency_crowd fentry" => funclatency::crowd;
            bioheat_fentry_virtio: "bioheat_mixed fentry vda" => bioheat::mixed;
            bioheat_timed_fentry: "bioheat_timed fentry" => bioheat::timed;
        }
    };
}

macro_rules! without_nvme {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            lacks_nvme: "lacks_nvme" => lacks::nvme;
        }
    };
}

macro_rules! without_fentry {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            lacks_fentry: "lacks_fentry" => lacks::fentry;
        }
    };
}

/// Where an address does not say whether it is the kernel's or the process's.
macro_rules! with_same_addresses {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            argdist_user_strings_kprobe: "argdist_user_strings kprobe str(uptr(filename))" => argdist::opened;
            argdist_user_strings_record: "argdist_user_strings_of_record" => argdist::opened;
            argdist_strings_of_anybody: "argdist_strings_of_anybody" => argdist::anybodys;
        }
    };
}

/// Where a kprobe can be put at the return of a function.
macro_rules! with_kretprobe {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            argdist_result_kprobe: "argdist_reads kprobe retval --custom 4099,4100" => argdist::reads;
            funclatency_kprobe: "funclatency_sleeps kprobe" => funclatency::sleeps;
            funclatency_crowd_kprobe: "funclatency_crowd kprobe" => funclatency::crowd_or_missed;
            funclatency_module_kprobe: "funclatency_module kprobe" => funclatency::of_module;
            duplicate: "duplicate" => confined::by_address;
            funclatency_linear: "funclatency_sleeps kprobe --linear 0,65536,4096" => funclatency::sleeps;
            trace_examples: "trace_examples" => trace::examples;
            trace_latency: "trace_latency" => trace::latency;
            trace_example_kprobes: "trace_example_kprobes" => trace::example_kprobes;
        }
    };
}

macro_rules! without_kretprobe {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            lacks_kretprobe: "lacks_kretprobe" => lacks::kretprobe;
        }
    };
}

macro_rules! without_kprobe_multi {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            lacks_kprobe_multi: "lacks_kprobe_multi" => lacks::kprobe_multi;
        }
    };
}

/// Every instruction. The host of the tests has tried all of them on x86_64: here on a kernel of each architecture.
macro_rules! with_little_endian {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            conformance: "conformance" => conformance::little;
            emitted: "emitted" => emitted::little;
        }
    };
}

macro_rules! with_big_endian {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            conformance: "conformance" => conformance::big;
            emitted: "emitted" => emitted::big;
        }
    };
}

/// Where programs are compiled.
macro_rules! with_jit {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            dump_loaded_kprobe: "dump_loaded kprobe" => dump::loaded;
            dump_loaded_tp_btf: "dump_loaded tp_btf" => dump::loaded;
        }
    };
}

macro_rules! without_jit {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            lacks_jit: "lacks_jit" => lacks::jit;
        }
    };
}

/// What the verifier has to do. Its tables are of x86_64: the others have the same verifier.
macro_rules! with_costs {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            verify_costs_of_tools: "verify_costs_of_tools" => costs::of_tools;
            verify_costs_of_lessons: "verify_costs_of_lessons" => costs::of_lessons;
        }
    };
}

macro_rules! with_kprobe_multi {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            list_fentry: "list_counted fentry" => list::counted_by_function;
            funccount_hundreds: "funccount_by_function vfs_* tcp_* ip_* blk_*" => funccount::by_one_link;
        }
    };
}

macro_rules! with_types_of_modules {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            argdist_module_kprobe: "argdist_module kprobe null_queue_rq arg1->rq->__data_len" => argdist::mixed;
            argdist_module_fentry: "argdist_module fentry null_queue_rq bd->rq->__data_len" => argdist::mixed;
            argdist_module_named_kprobe: "argdist_module kprobe null_blk:null_queue_rq bd->rq->__data_len" => argdist::mixed;
            argdist_module_named_fentry: "argdist_module fentry null_blk:null_queue_rq arg1->rq->__data_len" => argdist::mixed;
            funclatency_module_fentry: "funclatency_module fentry" => funclatency::of_module;
        }
    };
}

/// A few cases of each tool by a kind that any kernel has, besides the tables of the whole course.
macro_rules! on_any_host {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            bitehist_auto_virtio: "bitehist_mixed auto vda" => bitehist::mixed;
            bitehist_auto_null_blk: "bitehist_mixed auto nullb0" => bitehist::mixed;
            bitehist_auto_nvme: "bitehist_mixed auto nvme0n1" => bitehist::mixed;
            biolatency_timed_auto: "biolatency_timed auto" => biolatency::timed;
            bioheat_auto_virtio: "bioheat_mixed auto vda" => bioheat::mixed;
            funccount_two_functions: "funccount_by_function vfs_read vfs_write" => funccount::read_and_written;
            funccount_module_function: "funccount_module null_blk:null_queue_rq" => funccount::of_module;
            funclatency_user: "funclatency_user" => funclatency::naps;
            argdist_user_argument: "argdist_user arg0" => argdist::naps;
        }
    };
}

/// Kprobes, records of tracepoints, and what needs tracefs.
macro_rules! not_locked {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            bitehist_tracepoint_virtio: "bitehist_mixed tracepoint vda" => bitehist::mixed;
            biolatency_parallel_tracepoint_virtio: "biolatency_parallel tracepoint vda" => biolatency::parallel_by_record;
            funccount_pattern: "funccount_by_function vfs_*" => funccount::read_and_written;
            funclatency_kprobe: "funclatency_sleeps kprobe" => funclatency::sleeps;
            argdist_argument_kprobe: "argdist_reads kprobe arg2 --custom 4099,4100" => argdist::reads;
            argdist_field: "argdist_at_tracepoint tracepoint bytes" => argdist::mixed;
            trace_sizes: "trace_sizes vda" => trace::sizes;
            trace_stacks: "trace_stacks" => trace::stacks;
        }
    };
}

/// What needs the types of the kernel, and no copies of its memory.
macro_rules! with_types {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            bitehist_fentry_virtio: "bitehist_mixed fentry vda" => bitehist::mixed;
            bitehist_tp_btf_virtio: "bitehist_mixed tp_btf vda" => bitehist::mixed;
            bitesize_auto_virtio: "bitesize_direct auto vda" => bitesize::direct;
            biolatency_timed_tp_btf: "biolatency_timed tp_btf" => biolatency::timed;
            funclatency_fentry: "funclatency_sleeps fentry" => funclatency::sleeps;
            argdist_argument_by_name: "argdist_reads fentry count --custom 4099,4100" => argdist::reads;
        }
    };
}

/// What needs the types of the kernel, and copies its memory.
macro_rules! with_copies {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            bitehist_kprobe_virtio: "bitehist_mixed kprobe vda" => bitehist::mixed;
            bitehist_raw_tp_virtio: "bitehist_mixed raw_tp vda" => bitehist::mixed;
            biolatency_timed_kprobe: "biolatency_timed kprobe" => biolatency::timed;
            argdist_fentry_virtio: "argdist_sizes fentry vda arg0->__data_len" => argdist::mixed;
        }
    };
}

macro_rules! without_types {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            bitesize_auto_virtio: "bitesize_direct auto vda" => bitesize::sum;
            host_without_types: "host_without_types" => hosts::without_types;
        }
    };
}

macro_rules! locked {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            host_locked: "host_locked" => hosts::locked;
            funccount_traceable: "funccount_by_function vfs_* irqentry_e*" => funccount::traceable;
            funccount_untraceable: "funccount_untraceable irqentry_e*" => funccount::untraceable;
        }
    };
}

macro_rules! interpreted {
    ($then:ident $($with:tt)*) => {
        $then! { $($with)* host_reports: "host_reports" => hosts::interpreted; }
    };
}

/// A driver that is a module on most hosts: its functions and its types.
macro_rules! with_ext4 {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            host_ext4: "host_ext4" => hosts::ext4;
            host_ext4_fentry: "host_ext4_argument fentry ext4:ext4_file_read_iter" => hosts::ext4_argument;
            host_ext4_kprobe: "host_ext4_argument kprobe ext4_file_read_iter" => hosts::ext4_argument;
        }
    };
}
