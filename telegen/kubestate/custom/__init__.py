"""Metrics of custom resources: each entry of a configuration becomes a table of families before the first object arrives."""
