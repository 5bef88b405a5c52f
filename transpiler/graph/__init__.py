"""The data types of both graphs: Keras' layer graph and the torch graph it is lowered to."""
