"""The database: locks, retries, consistent reads, bulk writes, constraints."""
