"""Keep what a run makes, on a folder or on S3: the inputs, the plan, the ledger, the tables."""
