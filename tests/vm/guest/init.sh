#!/bin/busybox sh
# /init of the guest: runs every line of /guest/cases ("NAME FUNCTION ARGUMENT...").
#
# What came of a case goes to the host at once, so that a later panic takes nothing with it: one tar
# after another down a serial port. The first has the release, which tells that the guest is up; the
# last tells that it came to the end.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
# What the machine has, and what it wants done.
. /guest/machine
while read -r module; do
    # The two NVMe disks have the same names each time if their driver finds them one after the other.
    case $module in nvme) echo 0 >/sys/bus/pci/drivers_autoprobe ;; esac
    # One null_blk of 1 GB that does nothing, at once.
    case $module in null_blk) parameters="nr_devices=1 gb=1" ;; *) parameters= ;; esac
    # shellcheck disable=SC2086 # the parameters are several words
    insmod "/mod/$module.ko" $parameters || echo "insmod $module failed"
done </mod/order
if $nvme; then
    for device in /sys/bus/pci/devices/*; do
        case $(cat "$device/class") in 0x0108*) echo "${device##*/}" >/sys/bus/pci/drivers_probe ;; esac
    done
    echo 1 >/sys/bus/pci/drivers_autoprobe
    while [ ! -e /sys/block/nvme0n1 ] || [ ! -e /sys/block/nvme1n1 ]; do usleep 20000; done
fi
# A request made is a request counted: none may be merged with its neighbour.
for queue in /sys/block/*/queue; do echo 2 >"$queue/nomerges"; done
mount -t debugfs debug /sys/kernel/debug
mount -t tracefs trace /sys/kernel/tracing

for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name")" = results ] && exec 8>"/dev/${port##*/}"
done
mkdir /out
cd /out || poweroff -f
send() { tar -c "$@" >&8; }

uname -r >release
send release
prepare
sh /guest/case.sh in_kernel >/tmp/in_kernel_at_boot
while read -r name command; do
    mkdir "$name"
    # shellcheck disable=SC2086 # the command is a function and its arguments
    CASE=/out/$name timeout -s KILL 240 sh /guest/case.sh $command \
        >"$name/stdout" 2>"$name/stderr" </dev/null
    echo $? >"$name/status"
    killall -q -KILL rawbpf
    # The status goes last: a case that has one has everything.
    send "$name/stdout" "$name/stderr" "$name/status"
done </guest/cases
dmesg >kernel.log
cut -d' ' -f1 /proc/uptime >end
send kernel.log end
sync
poweroff -f
