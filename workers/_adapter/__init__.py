"""Parts of the workers of the adapter: rules, TLS, certificates, polling."""
