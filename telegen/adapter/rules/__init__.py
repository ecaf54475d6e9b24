"""Rules files: reading, regular expressions, names of metrics, labels of resources."""
