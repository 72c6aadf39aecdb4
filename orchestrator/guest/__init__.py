"""A guest: QEMU, its console and monitor, SSH, and what stands between it and the host."""
