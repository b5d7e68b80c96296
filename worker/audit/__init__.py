"""Evidence: signatures, sealed checkpoints of the decision chains, their inspection, deletion receipts."""
