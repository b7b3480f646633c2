"""The Faust runtime and, per domain, the few lines that join topics to processors."""
