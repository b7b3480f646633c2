"""The report of a result: one HTML file with everything in it, for a browser without a network."""
