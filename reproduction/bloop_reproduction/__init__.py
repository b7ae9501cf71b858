"""What the paper claims, measured: the demo, and a command for each claim.

``bloop-ref reproduce NAME`` runs a ``Claim`` of the catalogue ``claims.CLAIMS`` and records it.
"""
