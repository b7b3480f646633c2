"""Commands for the archive of topics."""
