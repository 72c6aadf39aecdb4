"""Mutation testing of a series: each mutant taken out, each fault seeded, and the test that notices."""
