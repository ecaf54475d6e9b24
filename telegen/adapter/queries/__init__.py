"""Values by the rules: queries to Prometheus, lists of objects from the API server."""
