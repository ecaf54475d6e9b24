"""The format of custom resource metrics with expressions: `metrics:` of the configuration, and files of it."""
