"""QuestDB as a store: ticks, trades and bars as line protocol. `sink.py` writes them, `tables.py` says where."""
