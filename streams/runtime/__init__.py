"""Exactly-once agents on Kafka: leases, chunks, state, transactions, dead letters."""
