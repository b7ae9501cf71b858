"""What is right, found in other ways than by the code that is judged."""
