"""The claims, in the paper's order, and beyond it the questions that it leaves open.

Each is a module of its own with a ``CLAIM``, imported when it is asked for. What a claim ``needs``
beyond the extra ``demo`` is imported by its ``measure`` alone: to list claims, and to report on
recorded runs, takes no torch.
"""

import importlib

from bloop_reproduction.claim import Claim

NAMES = (
    "figure-2",
    "section-3.3",
    "least-squares",
    "figure-3a",
    "figure-4",
    "figure-5a",
    "figure-7",
    "appendix-c",
    "batch-size",
    "old-or-new-average",
    "optimiser",
    "every",
    "neighbours",
)
"""What the command calls them; figure 6 stands beside figure 5a, of the same runs."""


def stem(name: str) -> str:
    """Return what the files of a claim are called: its page, its figure.

    >>> stem("section-3.3")
    'section-3-3'
    """
    return name.replace(".", "-")


def load(name: str) -> Claim:
    """Return the claim of a name, from the module that is called like it.

    >>> load("figure-2").where
    'Figure 2, section 2.2'
    """
    module = importlib.import_module(f"{__name__}.{stem(name).replace('-', '_')}")
    claim: Claim = module.CLAIM
    return claim
