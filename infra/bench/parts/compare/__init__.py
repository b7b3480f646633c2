"""Parts of the comparison of revisions: both checked out, the benches run in each, and the figures judged."""
