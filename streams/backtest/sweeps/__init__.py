"""Many parameter sets on the same quotes: the source is read once, and bars are made once for all sets."""
