"""A simulated market, as a function of its seed."""
