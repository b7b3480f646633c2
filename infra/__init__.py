"""Embedded services and the command line."""
