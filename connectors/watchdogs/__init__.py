"""Watchdogs of workers and sinks: what stands still is judged, said in words, and published as an alert."""
