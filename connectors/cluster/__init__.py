"""The known cluster: Kafka's own ids of it and of its topics, kept where Kafka's loss cannot reach, and compared.

`identity.py` compares, `look.py` asks Kafka, `kept.py` and `file.py` remember, `guard.py` checks and watches a process,
`switches.py` and `switch_store.py` do the same for kill switches.
"""
