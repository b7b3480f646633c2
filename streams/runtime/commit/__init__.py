"""What is committed: a transaction of outputs, changelog, journal and offsets, and what a restore reads of it."""
