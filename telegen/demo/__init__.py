"""A simulated API server with a synthetic cluster whose objects keep changing, for `--demo`, tests and benchmarks."""
