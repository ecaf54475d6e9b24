"""Tests of polling: agents over real TLS, good and hostile ones."""
