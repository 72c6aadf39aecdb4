#!/bin/sh
# Kills the SSH server in its second test: no complaint of the kernel, so nothing is known about it. The third goes on.
[ "$1" = -l ] && { printf 'sshdies_before\nsshdies_now\nsshdies_after\n'; exit 0; }
echo 'KTAP version 1'
k=0
for id in sshdies_before sshdies_now sshdies_after; do
	case " $* " in *" $id "*) ;; *) continue ;; esac
	k=$((k + 1))
	echo "# begin: $id"
	echo "wpci: begin $id" > /dev/kmsg
	if [ $id = sshdies_now ]; then
		killall -9 dropbear
		sleep 600
	fi
	echo "wpci: end $id" > /dev/kmsg
	echo "ok $k $id"
done
echo "1..$k"
