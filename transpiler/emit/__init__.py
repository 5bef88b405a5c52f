"""From torch graphs to source text: classes, names, and the code around them."""
