# shellcheck shell=sh

# bioheat_mixed KIND DISK: mixed I/O on the disk, each request in a cell of one row.
bioheat_mixed() {
    start bioheat --attach "$1" -d "$2" --json -v 3600
    mixed_io "$2"
    stop
}
