"""Rules over Prometheus: metrics that they make of its series, queries, values, and what the API server adds."""
