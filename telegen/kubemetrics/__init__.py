"""What leaves the agent: pages over HTTP, and what the agent says of itself."""
