"""Servers in containers, for the tests of `tests/containers`."""
