"""One module per resource: its table of families and its entry for the registry."""
