"""Doors count what tenants use, and send what they have counted as usage."""
