"""This node as a source: control files of its cgroups to plain readings, and the table of families that they become."""
