"""What is worked on: a chunk becomes segments, a processor runs on them, and what it sends is routed."""
