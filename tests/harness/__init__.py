"""How the suite runs: over several processes, on one stack, quietly, and within budgets of CPU time."""
