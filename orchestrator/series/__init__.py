"""A patch series: read, placed on its base, applied."""
