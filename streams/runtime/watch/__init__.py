"""What is seen from outside: facts, metrics and reasons of one worker."""
