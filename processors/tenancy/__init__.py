"""Tenants: accounts, sizing and limits."""
