"""Certificates of the adapter: an own CA in a Secret, the certificates that it signs, and the caBundle of the APIServices."""
