"""Keras weight files in, state dicts of the translated modules out."""
