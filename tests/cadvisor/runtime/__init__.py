"""Containers of real runtimes: on this machine, and in the virtual machines (see ../vm)."""
