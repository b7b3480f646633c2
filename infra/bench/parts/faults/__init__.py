"""Parts of the bench of faults: what is done to workers and brokers, under which load, and what came of the events."""
