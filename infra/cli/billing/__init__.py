"""Commands about usage and bills."""
