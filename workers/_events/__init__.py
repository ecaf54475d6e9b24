"""Parts of the events worker."""
