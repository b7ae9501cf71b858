"""What the paper claims, measured: the demo, and a command for each claim.

``bloop-ref reproduce NAME`` runs the ``Claim`` that ``claims.load`` gives for a name, and records it.
"""
