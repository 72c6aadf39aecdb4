"""Text to values: test output, console, markers."""
