"""What the gateway knows without asking: threads that follow topics and keep the last of everything."""
