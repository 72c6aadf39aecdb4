#!/bin/sh
# Kills the SSH server in its second test: no complaint of the kernel, so nothing is known about it. The third goes on.
[ "$1" = -l ] && { printf 'sshdies_before\nsshdies_now\nsshdies_after\n'; exit 0; }
# Opens and closes the windows of its tests with the words that it is given (docs/protocol.md).
mark() { read -r word <&3; echo "wpci: $word $1 $2" > /dev/kmsg; }
echo 'KTAP version 1'
k=0
for id in sshdies_before sshdies_now sshdies_after; do
	case " $* " in *" $id "*) ;; *) continue ;; esac
	k=$((k + 1))
	echo "# begin: $id"
	mark begin $id
	if [ $id = sshdies_now ]; then
		killall -9 dropbear
		sleep 600
	fi
	mark end $id
	echo "ok $k $id"
done
echo "1..$k"
