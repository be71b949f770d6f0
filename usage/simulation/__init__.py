"""A network that is not there: what its elements report (traffic), over HTTP until it is acknowledged
(delivery), many at once (run), and whether the receipts agree with what was sent (tally)."""
