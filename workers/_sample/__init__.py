"""Parts of the sampler: names of containers, ends of containers, usage for the adapter."""
