"""Parts of the worker of custom resources: kinds, their stores, aggregates and health."""
