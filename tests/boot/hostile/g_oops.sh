#!/bin/sh
# Crashes the kernel in its second test; the third goes on in a new guest.
[ "$1" = -l ] && { printf 'oops_before\noops_now\noops_after\n'; exit 0; }
# Opens and closes the windows of its tests with the words that it is given (docs/protocol.md).
mark() { read -r word <&3; echo "wpci: $word $1 $2" > /dev/kmsg; }
echo 'KTAP version 1'
k=0
set -- "$@"
for id in oops_before oops_now oops_after; do
	case " $* " in *" $id "*) ;; *) continue ;; esac
	k=$((k + 1))
	echo "# begin: $id"
	mark begin $id
	if [ $id = oops_now ]; then
		echo c > /proc/sysrq-trigger
	fi
	echo "ok $k $id"
	mark end $id
done
echo "1..$k"
