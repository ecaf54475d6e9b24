"""cgroup sampler: the container_* and machine_* metrics of this node."""
