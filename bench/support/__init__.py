"""Shared by the benchmarks: an install of their own, servers, one line per case."""
