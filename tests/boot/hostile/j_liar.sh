#!/bin/sh
# A failed case and exit code 0: case lines are the truth.
[ "$1" = -l ] && { printf 'liar_one\n'; exit 0; }
printf 'KTAP version 1\n1..1\n# begin: liar_one\nnot ok 1 liar_one\n'
