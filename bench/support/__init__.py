"""What the benchmarks of serving share: an install of their own, servers, one line a case."""
