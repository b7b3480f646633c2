"""How an account did: returns, risk and costs, from its equity, fills and trades."""
