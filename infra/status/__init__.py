"""What is up and what flows: totals by distinct event, topics, the lag of consumer groups, the health of services."""
