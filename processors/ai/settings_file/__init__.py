"""A settings file of AI: providers, routes and prices as people write them. Pure."""
