"""The initramfs of a guest."""
