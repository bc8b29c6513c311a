"""What a run needs around the training step: players, counters, noise, resuming, loaders, shutdown."""
