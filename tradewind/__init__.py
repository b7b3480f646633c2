"""Tradewind: an event-driven, multi-tenant trading platform around Apache Kafka."""
