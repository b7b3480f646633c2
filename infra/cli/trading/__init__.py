"""Commands about trading: tenants, halts, and whether an agent decides again as it did."""
