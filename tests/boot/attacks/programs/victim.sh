#!/bin/sh
# Two tests that pass on a kernel that lets them.
[ "$1" = -l ] && { printf 'victim_one\nvictim_two\n'; exit 0; }
printf 'KTAP version 1\n1..2\n# begin: victim_one\n'
sleep 3
printf 'ok 1 victim_one\n# begin: victim_two\n'
sleep 1
printf 'ok 2 victim_two\n'
