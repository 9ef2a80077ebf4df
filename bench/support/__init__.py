"""Shared by the benchmarks: a separate install, servers, one line per case."""
