"""Signals become order requests; fills become positions."""
