"""Benchmarks: what the agent costs, beside the bars that it is to keep."""
