"""The balance domain: whether what flowed in is what flowed out, to the last record and the last decimal."""
