#!/bin/sh
# Kills the SSH server: no complaint of the kernel, so nothing is known about it.
[ "$1" = -l ] && { echo sshdies_one; exit 0; }
printf 'KTAP version 1\n1..1\n# begin: sshdies_one\n'
killall -9 dropbear
sleep 600
