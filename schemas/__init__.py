"""Event schemas: the `.avsc` files, the models generated from them, and the codec."""
