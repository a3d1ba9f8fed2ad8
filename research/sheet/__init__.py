"""``expnet research sheet``: photographs beside the heads that several methods make of them."""
