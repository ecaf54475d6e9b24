"""The part of Go's template language that rules files use, with the delimiters << and >>."""

from telegen.adapter.templates.lexer import TemplateError
from telegen.adapter.templates.template import Template

__all__ = ["Template", "TemplateError"]
