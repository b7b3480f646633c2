"""Answers while they come: deltas that the caller writes to Valkey, and what shows them to those who asked."""
