#!/bin/sh
# Two tests that pass and one that is not offered: what is around the misbehaviour must be kept.
[ "$1" = -l ] && { printf 'good_one\ngood_two\ngood_refused\n'; exit 0; }
printf 'KTAP version 1\n1..3\n# begin: good_one\nok 1 good_one\n# begin: good_two\nok 2 good_two\n'
printf '# begin: good_refused\nok 3 good_refused # SKIP no such feature\n'
