"""AI: which requests are admitted, which model is called, what a call cost, and what the answer is."""
