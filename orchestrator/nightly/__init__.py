"""The nightly job: many guests at a time, judged against the nights before."""
