"""Known mistakes: wrong implementations that people have written, and telling which it is."""
