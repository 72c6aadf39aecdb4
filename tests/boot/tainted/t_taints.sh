#!/bin/sh
# Turns the console down, as scripts do, and taints the kernel as a warning does whose report is lost.
[ "$1" = -l ] && { echo taints_one; exit 0; }
printf 'KTAP version 1\n1..1\n# begin: taints_one\n'
echo 1 1 1 1 >/proc/sys/kernel/printk
echo '<7>heard all the same' >/dev/kmsg
echo 512 >/proc/sys/kernel/tainted
echo 'ok 1 taints_one'
