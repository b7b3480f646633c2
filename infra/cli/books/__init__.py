"""Commands that list what PostgreSQL holds: orders, fills, positions and accounts."""
