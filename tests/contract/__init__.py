"""The contract between an agent and what runs it: cases, claims, and how they run in memory and on Kafka."""
