"""The metrics APIs: resource, custom and external metrics, by the agents and by rules over Prometheus."""
