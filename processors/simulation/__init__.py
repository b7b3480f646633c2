"""What else could have happened: results drawn again, and price paths of models. Functions of a seed."""
