"""The API groups: requests, answers, discovery documents."""
