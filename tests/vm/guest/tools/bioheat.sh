# shellcheck shell=sh

# bioheat_mixed KIND DISK: mixed I/O on the disk, each request in a cell of one row.
bioheat_mixed() {
    start bioheat --attach "$1" -d "$2" --json -v 3600
    mixed_io "$2"
    stop
}

# bioheat_timed: requests that take a known time.
bioheat_timed() {
    timed_disk
    start bioheat -d nullb1 --json -v 3600
    direct_read 31 4k nullb1
    direct_write 22 16k nullb1
    stop
}
