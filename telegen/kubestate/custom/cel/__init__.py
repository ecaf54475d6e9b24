"""Expressions of the configuration of custom resources: a subset of the Common Expression Language (CEL).

A text is parsed once (`lexer`, `parser`, `syntax`) and compiled to closures over plain JSON values (`compiler`), which use the
operators (`operators`) and functions (`functions`) of CEL. Sources: the CEL specification, and for quantities that of Kubernetes.
"""
