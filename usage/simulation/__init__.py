"""A simulated network: what its elements report (traffic), over HTTP until it is acknowledged (delivery),
many at once (run), and whether the receipts agree with what was sent (tally)."""
