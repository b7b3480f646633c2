"""Commands about AI: questions, costs and settings."""
