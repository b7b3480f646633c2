"""What is read: fetches become chunks, under a lease, from positions that are placed."""
