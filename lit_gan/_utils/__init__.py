"""Private helpers that all of lit_gan shares: arguments, errors, files, random numbers, plain-data configs."""
