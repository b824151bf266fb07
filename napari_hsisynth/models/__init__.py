"""Networks only: no optimiser, no file access. Each needs torch; importing this package does not."""
