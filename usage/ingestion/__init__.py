"""How usage gets in: reports in any of the field's forms (formats), to the period each belongs to (places),
into the database exactly once (apply, statements), and the answer to who sent them (receipts)."""
