"""The commands of the command line: each parses its options, asks a mode or a room, and prints. No logic."""
