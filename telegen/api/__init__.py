"""The API server as a source: raw streams to plain objects, kept in step by a reflector. No kind and no metric is known
here."""
