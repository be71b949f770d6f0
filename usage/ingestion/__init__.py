"""Usage ingestion: decode reports (formats), find the period of each (places), write them exactly once
(apply, sql), and return a receipt to the sender (receipts)."""
