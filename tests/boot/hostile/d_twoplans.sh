#!/bin/sh
# Two plans and the same name twice, first failing, then passing: the failure must survive.
[ "$1" = -l ] && { echo twoplans_one; exit 0; }
printf 'KTAP version 1\n1..1\n# begin: twoplans_one\nnot ok 1 twoplans_one\n1..1\n# begin: twoplans_one\nok 1 twoplans_one\n'
