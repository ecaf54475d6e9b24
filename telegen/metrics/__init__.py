"""Metric families, their rendering to exposition text, and the store of that text in compressed blocks."""
