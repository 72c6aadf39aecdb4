#!/bin/sh
# Passes by its result line, and fails by its exit code: one of the two is wrong.
[ "$1" = -l ] && { echo exits_one; exit 0; }
printf 'KTAP version 1\n1..1\n# begin: exits_one\nok 1 exits_one\n'
exit 3
