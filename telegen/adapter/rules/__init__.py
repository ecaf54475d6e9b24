"""Rules files: reading, names of metrics, labels of resources."""
