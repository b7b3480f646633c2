"""Strategies look at bars and say which way."""
