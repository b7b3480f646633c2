"""Asks Kafka what flows: totals by distinct event, topics, the lag of consumer groups, bytes on the brokers' disks."""
