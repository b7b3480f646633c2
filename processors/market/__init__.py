"""Quotes become bars; what an instrument is."""
