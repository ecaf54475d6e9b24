"""Values of the agents: usage of pods and nodes, and kube_* families."""
