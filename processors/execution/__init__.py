"""The simulated venue: approved orders meet quotes."""
