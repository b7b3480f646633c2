"""Commands for the gateway's users."""
