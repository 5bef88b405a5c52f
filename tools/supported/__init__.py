"""The page of what is translated, made from the rules and checked against the installed Keras."""
