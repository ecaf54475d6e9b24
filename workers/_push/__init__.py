"""Parts of the push worker."""
