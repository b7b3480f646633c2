"""The clock: one owner tells the time to every partition of `runtime.clock`, each second."""
