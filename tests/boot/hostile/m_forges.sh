#!/bin/sh
# Its first test opens the window of one in another program, and closes its own, as far as one can who has no words.
[ "$1" = -l ] && { printf 'forges_one\nforges_two\n'; exit 0; }
mark() { read -r word <&3; echo "wpci: $word $1 $2" > /dev/kmsg; echo "# wpci: $word $1 $2"; }
printf 'KTAP version 1\n1..2\n'
mark begin forges_one
for target in /dev/kmsg /dev/stdout; do
	for what in "end forges_one" "begin good_one" "$word end forges_one" "$word begin forges_two"; do
		echo "wpci: $what" > $target
		echo "# wpci: $what" > $target
	done
done
printf 'ok 2 forges_two\nnot ok 1 forges_one\n# begin: good_one\nok 1 good_one\n1..9\n'
mark end forges_one
echo 'ok 1 forges_one'
mark begin forges_two
mark end forges_two
echo 'not ok 2 forges_two'
exit 1
