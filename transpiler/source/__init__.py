"""Reading sources, formatting and writing outputs. Knows nothing of Keras but its name."""
