"""What is said of each Kubernetes resource: one table of families per kind."""
