"""Usage of pods and nodes, and samples of kube_* families, pulled from the agents."""
