"""A simulated API server with a synthetic cluster that keeps changing: for `--demo`, tests and benchmarks."""
