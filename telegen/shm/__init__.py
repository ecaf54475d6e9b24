"""Shared memory: arenas of pages with one writer each, and small values that processes share."""
