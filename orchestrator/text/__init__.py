"""Text of others: read from files within bounds, unpacked, made harmless; and wording that is the same everywhere."""
