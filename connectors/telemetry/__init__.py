"""Metrics, traces and readiness of a process: declared, recorded, served on loopback, sent by OTLP."""
