"""Requests to models, in the form of OpenAI's API."""
