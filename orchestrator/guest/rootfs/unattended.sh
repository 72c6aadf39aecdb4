#!/bin/sh
# First process of a guest that nobody enters (rdinit=/sbin/unattended): init brings it up, and the tests that the
# kernel's command line names (wpci_test=GLOB,GLOB) say on the console what they have to say. Then the guest ends.

export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root

# Whether a test is named: by a pattern, or by the start of its name up to _ or a dot.
named() {
	set -f
	IFS=,
	found=1
	for glob in $wpci_test; do
		case $1 in $glob | "$glob"_* | "$glob".*) found=0 ;; esac
	done
	unset IFS
	set +f
	return $found
}

# A program that speaks the protocol of ktap.h: it lists its tests, and runs those that are named.
pick() {
	picked=
	listed=$("./$1" -l 2>/dev/null) || { echo "# $1 -l: exit code $?"; code=1; }
	for test in $listed; do
		named "$test" && picked="$picked -r $test"
	done
	[ "$picked" ] || return 0
	count=$((count + 1))
	"./$1" -t 3600 $picked || code=1
}

# A program of which a file says how it is called. One of its cases stands for all of it.
call() {
	case ,$wpci_test in *",${1##*/}."*) ;; *) named "${1##*/}" || return 0 ;; esac
	count=$((count + 1))
	echo "# ${1##*/}"
	sh "$1"
	status=$?
	echo "# ${1##*/}: exit code $status"
	case $status in 0 | 4 | 77) ;; *) code=1 ;; esac
}

suite() {
	name=${1##*/}
	cd "/tests/$name" || return
	if [ -d "/commands/$name" ]; then
		set_up=0
		before=$count
		[ -f "/commands/$name/.setup" ] && { sh "/commands/$name/.setup" || set_up=$?; }
		[ $set_up = 0 ] || echo "# setup of $name: exit code $set_up"
		for program in "/commands/$name"/*; do call "$program"; done
		[ $set_up = 0 ] || [ $count = $before ] || code=1
	else
		for program in *; do [ -f "$program" ] && [ -x "$program" ] && pick "$program"; done
	fi
}

tests() {
	code=0
	count=0
	for folder in /tests/*; do suite "$folder"; done
	[ $count -gt 0 ] || { echo "# no test matches $wpci_test"; code=2; }
	echo "wpci: tests ended: $code"
	poweroff
}

(
	until [ -s /run/dropbear.pid ]; do sleep 1; done
	tests </dev/null >/dev/console 2>&1
) &
exec /init
