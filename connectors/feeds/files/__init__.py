"""Files of recorded market data: each format parses lines, `file_feed.py` reads any of them."""
