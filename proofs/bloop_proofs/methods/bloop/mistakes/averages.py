"""Mistakes in the new EMA: what weights it has, and what it averages."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at Algorithm 1, the EMA's update
rho-and-its-complement-are-swapped
    The new EMA is rho e + (1 - rho) g, as in libraries whose beta weighs the old value.
    decay = rho
    gain = 1 - rho
    -> Give the new gradient the weight rho: (1 - rho) * ema + rho * g_main.
ema-is-never-updated: The EMA is returned as it came.
    ema = e
    -> Return (1 - rho) * ema + rho * g_main as the new EMA.
ema-moves-away-from-the-gradient: The new EMA is e + rho (e - g), a sign too many.
    decay = 1 + rho
    gain = -rho
    -> Move the EMA towards the new gradient: ema + rho * (g_main - ema).
ema-averages-the-direction
    entering = d
    -> Average g_main, not the direction.
ema-averages-the-sum-of-the-gradients
    entering = (g + lam a)
    -> Average g_main alone; keep lam * g_aux out of the EMA.
ema-averages-the-auxiliary-gradient
    entering = a
    -> Average g_main, not g_aux.
ema-has-no-dampening: The new EMA is (1 - rho) e + g, a momentum buffer.
    gain = 1
    -> Multiply the new gradient by rho.
ema-never-decays: The new EMA is e + rho g, a sum that grows.
    decay = 1
    -> Multiply the old EMA by 1 - rho.
ema-is-the-last-gradient: The new EMA is g, whatever rho is.
    ema = g
    -> Average all gradients: (1 - rho) * ema + rho * g_main.
ema-is-stored-with-its-bias-corrected
    The new EMA is divided by 1 - (1 - rho), as Adam does at its first step.
    ema = ema / rho
    -> Keep the EMA as it is; the projection ignores its scale.
ema-is-updated-twice: The new gradient enters the EMA twice in one step.
    ema = (1 - rho) ema + rho entering
    -> Update the EMA once per step.
ema-averages-unit-gradients
    entering = entering / ||entering||
    -> Average g_main itself, not g_main / ||g_main||.
ema-averages-clipped-gradients
    entering = entering min(1, 1 / ||entering||)
    -> Average g_main as it is; clip the direction, if at all.
ema-averages-what-the-auxiliary-gradient-leaves
    entering = pi(g; a)
    -> Average g_main whole; project g_aux, and nothing else.
ema-averages-squares
    The new EMA is (1 - rho) e + rho g^2 entry by entry, Adam's second moment.
    entering = entering^2
    -> Average the gradients, not their squares.
rho-is-a-constant: The new EMA is (1 - r) e + r g with r = 0.1, whatever rho is.
    rho = {0.1}
    -> Use the rho that is given.
rho-is-at-least-1e-4: The weight of the new gradient is max(rho, 1e-4).
    rho = max(rho, {1e-4})
    -> Use rho as it is, however small.
rho-is-taken-for-a-span
    The weight of the new gradient is 2 rho / (1 + rho), that of a span of 1 / rho in pandas.
    rho = 2 rho / (1 + rho)
    -> Give the new gradient the weight rho: (1 - rho) * ema + rho * g_main.
ema-is-brought-to-length-one
    ema = ema / ||ema||
    -> Keep the EMA as it is; the projection ignores its scale.
    """
)
