"""Time-series stores: which product answers at an address, and how what lies in it is read."""
