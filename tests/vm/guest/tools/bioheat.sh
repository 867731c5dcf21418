# shellcheck shell=sh

# bioheat_mixed KIND DISK: mixed I/O on the disk, each request in a cell of one row.
bioheat_mixed() {
    start bioheat --attach "$1" -d "$2" --json -v 3600
    mixed_io "$2"
    stop
}

# bioheat_timed KIND: 53 requests, one after the other, that take a known time, while a faster disk is
# busy too.
bioheat_timed() {
    timed_disk
    start bioheat --attach "$1" -d nullb1 --json -v $once
    direct_read 31 4k nullb1
    direct_write 22 16k nullb1
    other_io nullb1
    stop
}
