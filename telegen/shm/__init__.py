"""Shared memory: where one writer per arena publishes pages and any process reads them whole."""
