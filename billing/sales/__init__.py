"""Sales on a line, from its first period to its end: activation, renewal, plan changes, packs and
termination, and the payment of prepaid periods. All prices come from billing.rating."""
