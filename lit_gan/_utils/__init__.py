"""Private helpers that know nothing of a game: arguments, errors, files, random numbers, plain-data configs."""
