"""One package per paper: its parameters, and its experiments as functions that return tidy tables."""
