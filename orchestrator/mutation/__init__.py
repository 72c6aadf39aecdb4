"""Mutation testing of a series: each part taken out, each fault planted, and the test that notices."""
