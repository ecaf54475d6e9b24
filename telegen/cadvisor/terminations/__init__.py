"""Ends of containers: from the status of pods, with the last readings of their cgroups."""
