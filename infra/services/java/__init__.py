"""Java for the embedded services: its runtime, the files of the servers, and warm caches."""
