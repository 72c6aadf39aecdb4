#!/bin/sh
# Run in the outer guest: `wpci run` on the root folder of the host, which is read through virtio-9p and written to memory.
# usage: inner.sh REPOSITORY CACHE PATH
set -e
mkdir -p /lower /layer /host
mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,msize=262144,ro host /lower
mount -t tmpfs -o size=1g layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work host /host
for folder in proc sys dev dev/pts dev/shm; do
	mount -o bind "/$folder" "/host/$folder"
done
# As udev leaves it; without the module there is none.
[ ! -e /dev/kvm ] || chmod 666 /dev/kvm
# The copy becomes the root of a mount namespace, as switch_root does it: in a chroot nobody may make a user namespace.
exec unshare -m sh -c 'cd /host && mount --move . / && exec "$@"' sh \
	env -i HOME=/root LC_ALL=C.UTF-8 PATH="$3" PYTHONDONTWRITEBYTECODE=1 WPCI_CACHE="$2" \
	/bin/chroot . \
	"$1/.venv/bin/python" -m orchestrator.cli run --config "$1/tests/kvm/pipeline.yaml" --results /results --all
