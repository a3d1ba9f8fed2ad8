"""Whether fine-tuned weights read an actor better, on synthetic clips with known truth."""
