"""Who asks, and what they may: users, sessions, access tokens, roles."""
