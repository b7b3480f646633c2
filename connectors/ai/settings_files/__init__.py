"""Settings files of AI: their text, and the templates that come with Tradewind."""
