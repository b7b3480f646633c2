"""Billing: what tenants use, numbered by who counts it, and its totals."""
