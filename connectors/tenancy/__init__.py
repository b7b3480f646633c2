"""Tenants as everything that is no agent sees them: commands are written, and what came of them is read."""
