"""What a run is: its training, scoring and prediction, its directory, and the plan of folds and seeds."""
