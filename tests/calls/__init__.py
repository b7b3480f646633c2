"""Callers of tests: calls on their topic, processes that perform them, and a provider that keeps a log."""
