"""Parts of a run around the training step: players, counters, noise, checkpoints, resuming, loaders, shutdown."""
