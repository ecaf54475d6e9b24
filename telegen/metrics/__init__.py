"""Families become text once, when an object changes, and text becomes compressed pages."""
