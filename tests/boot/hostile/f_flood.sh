#!/bin/sh
# More output than the cap, and the result behind it: cut in the guest, and said.
[ "$1" = -l ] && { echo flood_one; exit 0; }
printf 'KTAP version 1\n1..1\n# begin: flood_one\n'
yes 'a line of output that nobody asked for' | head -n 40000
echo 'ok 1 flood_one'
