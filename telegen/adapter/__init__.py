"""The metrics APIs: custom and external metrics by rules over Prometheus, and resource metrics by rules."""
