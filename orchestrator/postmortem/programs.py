"""The programs of the rootfs, by the names that their tasks have: none of them is what a guest is looked at for."""

WITHOUT_SHELL = frozenset({"init", "dropbear", "dd", "wc"})
"""Those that a test never is."""
ROOTFS = WITHOUT_SHELL | {"sh", "sleep"}
"""All of them; a test that is a script consists of the two more."""
