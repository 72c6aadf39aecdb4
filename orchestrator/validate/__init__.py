"""Whether a series is fit to be merged: its checks, its patches one by one, and both sides of each pair."""
