"""What the paper claims, measured: the demo, and a command for each claim.

``bloop-ref reproduce NAME`` runs the ``Claim`` of that name, which ``claims.load`` gives.
"""
