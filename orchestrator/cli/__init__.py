"""The commands of the command line: each parses its options, calls what does it, and prints. No logic."""
