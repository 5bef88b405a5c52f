"""From what was evaluated to the text of the output: classes for models, and the program around them."""
