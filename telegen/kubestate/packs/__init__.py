"""Packs: tables of families for the custom resources of known products, one file per product."""
