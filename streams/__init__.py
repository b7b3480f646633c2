"""The Faust runtime and, per domain, the lines that join topics to processors."""
