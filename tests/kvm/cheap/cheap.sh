#!/bin/sh
# One test that any kernel passes: it shows that a guest came up, was reached over SSH and ran a program.
# What it says besides: the clocks that the kernel found. It has kvm-clock only where KVM runs it.
[ "$1" = -l ] && { echo cheap_runs; exit 0; }
printf 'KTAP version 1\n1..1\n# begin: cheap_runs\n'
echo "# clocks: $(cat /sys/devices/system/clocksource/clocksource0/available_clocksource)"
echo 'ok 1 cheap_runs'
