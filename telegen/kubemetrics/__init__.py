"""The output of the agent: pages over HTTP, probes, and the agent's own metrics."""
