"""Metrics of Kubernetes objects: one table of families per resource."""
