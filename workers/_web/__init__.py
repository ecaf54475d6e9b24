"""Parts of the web worker."""
