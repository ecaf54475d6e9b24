"""Real containers of a real runtime."""
