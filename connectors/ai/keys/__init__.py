"""Keys of providers: those of the settings, and those of tenants, which PostgreSQL keeps under a seal."""
