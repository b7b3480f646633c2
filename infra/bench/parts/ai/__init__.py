"""AI requests: what calls cost beside the plain packages, and what holds while callers and workers are killed."""
