"""Commands that `up` runs as processes: one prepares the services, the others work until they are stopped."""
