"""The embedded services: Kafka, PostgreSQL, Apicurio Registry and QuestDB from packages, without Docker or Java."""
