"""Loops that others own, one module for each: only that module knows the library."""
