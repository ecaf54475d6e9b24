"""Usage of this node and of its pods, as the metrics APIs need it: rates over the last pass, with their window and time."""
