"""Real processes in real cgroups that the tests make: they run on this machine's kernel, and in virtual machines whose
kernels have v2 alone and v1 alone (see ../vm)."""
