//! Which case runs on which kernel: the one table.
//!
//! A row is `NAME: "FUNCTION ARGUMENT..." => CHECK;`: the test's name, the function of a script in
//! `guest/tools/` that the guest runs, and what must be true of its output. A group is a macro that
//! hands its rows on, so that groups chain: `everywhere!(since_6_1 kernel vm_6_1 "6.1")`.

macro_rules! everywhere {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            bitehist_kprobe_virtio: "bitehist_mixed kprobe vda" => bitehist::mixed;
            bitehist_kprobe_null_blk: "bitehist_mixed kprobe nullb0" => bitehist::mixed;
            bitehist_kprobe_nvme: "bitehist_mixed kprobe nvme0n1" => bitehist::mixed;
            bitehist_fentry_virtio: "bitehist_mixed fentry vda" => bitehist::mixed;
            bitehist_fentry_null_blk: "bitehist_mixed fentry nullb0" => bitehist::mixed;
            bitehist_fentry_nvme: "bitehist_mixed fentry nvme0n1" => bitehist::mixed;
            bitehist_tp_btf_virtio: "bitehist_mixed tp_btf vda" => bitehist::mixed;
            bitehist_tp_btf_null_blk: "bitehist_mixed tp_btf nullb0" => bitehist::mixed;
            bitehist_tp_btf_nvme: "bitehist_mixed tp_btf nvme0n1" => bitehist::mixed;
            bitehist_raw_tp_virtio: "bitehist_mixed raw_tp vda" => bitehist::mixed;
            bitehist_raw_tp_null_blk: "bitehist_mixed raw_tp nullb0" => bitehist::mixed;
            bitehist_raw_tp_nvme: "bitehist_mixed raw_tp nvme0n1" => bitehist::mixed;
            bitehist_tracepoint_virtio: "bitehist_mixed tracepoint vda" => bitehist::mixed;
            bitehist_tracepoint_null_blk: "bitehist_mixed tracepoint nullb0" => bitehist::mixed;
            bitehist_tracepoint_nvme: "bitehist_mixed tracepoint nvme0n1" => bitehist::mixed;
            bitehist_auto_virtio: "bitehist_mixed auto vda" => bitehist::mixed_by_kprobe;
            bitehist_ctrl_c: "bitehist_mixed auto vda INT" => bitehist::mixed;
            bitehist_all_disks: "bitehist_all_disks" => bitehist::mixed_thrice;
            bitehist_three_tables: "bitehist_three_tables" => bitehist::three_empty;
            bitehist_sum_over_intervals: "bitehist_intervals" => bitehist::intervals;
            bitehist_kprobe_leaves_nothing: "bitehist_killed kprobe" => bitehist::left_nothing;
            bitehist_fentry_leaves_nothing: "bitehist_killed fentry" => bitehist::left_nothing;
            bitehist_tracepoint_leaves_nothing: "bitehist_killed tracepoint" => bitehist::left_nothing;
            funccount_one_function: "funccount_by_function vfs_read vfs_write" => funccount::read_and_written;
            funccount_pattern: "funccount_by_function vfs_*" => funccount::read_and_written;
            funccount_with_tracepoint: "funccount_by_function vfs_read sched:sched_process_*" => funccount::read_and_exited;
            funccount_by_comm: "funccount_by comm" => funccount::by_comm;
            funccount_by_pid: "funccount_by pid" => funccount::by_pid;
            funccount_sum_over_intervals: "funccount_intervals" => funccount::intervals;
            funccount_leaves_nothing: "funccount_left" => funccount::left_nothing;
            funccount_misspelt: "funccount_misspelt" => funccount::meant;
            funccount_forbidden: "funccount_forbidden" => funccount::forbidden;
        }
    };
}

macro_rules! with_kprobe_multi {
    ($then:ident $($with:tt)*) => {
        $then! {
            $($with)*
            funccount_hundreds: "funccount_by_function vfs_* tcp_* ip_* blk_*" => funccount::by_one_link;
        }
    };
}
