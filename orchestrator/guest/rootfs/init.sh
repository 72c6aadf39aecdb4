#!/bin/sh
# The first process of the guest: mounts, network, swap, SSH; then it reaps orphans until it is told to power off.
# What it prints goes through the kernel's log, so that it stands in order among the kernel's own lines.

export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root

say() { echo "wpci: $*" >/dev/kmsg; }

fail() {
	say "failed: $*"
	poweroff -f
}

# A report may not reach the console; the kernel still knows that it gave one: B a bad page, D an oops, W a warning, L a
# lockup. Said once for each.
told=0
taints() {
	mask=$(cat /proc/sys/kernel/tainted 2>/dev/null)
	new=$((${mask:-0} & ~told))
	told=$((told | new))
	letters=
	for taint in 32B 128D 512W 16384L; do
		[ $((new & ${taint%?})) = 0 ] || letters=$letters${taint#"${taint%?}"}
	done
	[ -z "$letters" ] || say "tainted $letters"
}

must() { "$@" || fail "$*"; }

mount -t devtmpfs dev /dev || { echo "wpci: failed: no devtmpfs"; poweroff -f; }
must mount -t proc proc /proc
must mount -t sysfs sys /sys
must mount -t tmpfs tmp /tmp
must mount -t tmpfs run /run # of its own: a program that fills the root must not keep the last word out
mkdir -p /dev/pts /dev/shm /dev/hugepages
must mount -t tmpfs shm /dev/shm
must mount -t devpts -o ptmxmode=666 pts /dev/pts
# Only where the kernel has them: which of them a test needs is for the test to say.
{
	mount -t debugfs debug /sys/kernel/debug
	mount -t tracefs trace /sys/kernel/tracing
	mount -t cgroup2 cgroup /sys/fs/cgroup
	mount -t hugetlbfs huge /dev/hugepages
} 2>/dev/null

must ifconfig lo 127.0.0.1 up
must ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up

for disk in /sys/block/*; do
	[ "$(cat "$disk/serial" 2>/dev/null)" = swap ] || continue
	must mkswap "/dev/${disk##*/}" >/dev/null
	must swapon "/dev/${disk##*/}"
done

# It returns once it listens. Out of memory, the kernel is to end a test and not this: children inherit the value,
# and each command of the host sets its own back.
echo -1000 >/proc/1/oom_score_adj
must dropbear -s -j -k -r /etc/dropbear/host_key -P /run/dropbear.pid

trap 'asked=1' USR2 # what `poweroff` sends
taints
say ready
until [ "$asked" ]; do
	sleep 10 & # and not for ever: the signal may come between the question and the wait
	wait $!
done
read -r word 2>/dev/null </run/wpci-off
taints
say "off $word"
poweroff -f
