"""Calls to AI providers: adapters that speak to them, their keys, and the attempts that come of it."""
