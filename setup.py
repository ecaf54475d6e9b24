"""Kept for tools that still call it; every fact about the package is in setup.cfg."""

from setuptools import setup

setup()
