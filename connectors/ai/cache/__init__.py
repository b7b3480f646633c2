"""Answers that are given again: kept in the process and in Valkey, and shared by equal calls in flight."""
