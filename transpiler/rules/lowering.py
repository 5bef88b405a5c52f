"""The lowering context: what a rule uses to write the torch graph, and the pass from Keras graph to torch graph."""
