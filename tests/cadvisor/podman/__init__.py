"""Containers of a real podman."""
