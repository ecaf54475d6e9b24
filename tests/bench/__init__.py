"""Benchmarks: costs of the agent, compared with their limits."""
