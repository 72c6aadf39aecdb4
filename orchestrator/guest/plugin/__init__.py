"""A plugin of QEMU that notes which pieces of a kernel run: what it is handed over, and what it leaves."""
