"""What is sold on a line, from the first period to the last: activated, renewed, changed, added to,
ended; and how that is paid for. Prices come out of billing.rating, whoever asks for them."""
