"""Commands that look after a running stack: start, watch, repair and wipe it."""
