"""What a kernel looked like when it died or hung, read from its memory by drgn."""
