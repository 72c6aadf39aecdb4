"""What a bisect knows and decides, apart from running anything: ``modes.bisect`` does that."""
