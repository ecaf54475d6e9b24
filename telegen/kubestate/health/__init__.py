"""Health of any custom resource by a generic rule, without a configuration for its kind."""
