"""What the routes answer, by the first part of their paths. Each function has the name of its line in `routes.py`."""
