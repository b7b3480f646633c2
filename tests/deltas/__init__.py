"""Claims about deltas, that hold in memory and on Valkey."""
