"""Background work: begin, poll, result; rows in the transaction that asked for them."""
