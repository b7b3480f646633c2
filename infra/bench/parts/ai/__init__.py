"""AI requests under faults: a provider double, callers and workers that die where they are told to, and a verdict."""
