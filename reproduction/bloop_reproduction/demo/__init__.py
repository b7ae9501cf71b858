"""``bloop-ref demo``: Bloop against its neighbours on handwritten digits; see ``command``."""
