"""Shared rate limits: token buckets, counters and tallies in the cache."""
