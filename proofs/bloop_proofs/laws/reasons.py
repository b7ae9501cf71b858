"""Why each law matters: what happens in training where it is broken."""

TEXT = """
direction-is-equation-5: It is the method: every other law of the direction follows from it.
full-batch-direction-is-equation-3: Without noise the EMA settles at the main gradient.
what-is-added-is-orthogonal-to-the-ema: What is left along the EMA works against the main loss.
main-loss-falls-as-under-gradient-descent: That the auxiliary loss costs nothing is the promise.
quadratic-main-loss-falls-by-the-exact-amount: The promise, checked on a loss and not on a formula.
new-ema-weighs-the-new-gradient-by-rho: Swapped, the EMA is nearly all noise.
first-ema-is-rho-times-the-gradient: Another start changes every later average.
zero-ema-leaves-the-auxiliary-gradient-whole: Every run starts there: 0/0 makes all parameters NaN.
lam-zero-gives-the-main-gradient: A run with lam = 0 is the baseline that others are compared with.
rho-zero-keeps-the-ema: It tells which of the two weights is rho.
rho-one-replaces-the-ema: It is the variant without an average, projecting on the last gradient.
norms-add-as-in-pythagoras: A direction that is longer changes the learning rate in secret.
opposed-losses-give-gradient-descent: Where the losses disagree wholly, the main one must win.
each-step-projects-on-the-ema-before-its-update: Some errors show over several steps.
expected-direction-is-the-direction-of-the-expectations: An EMA that has seen the batch biases d.
deeper-levels-never-disturb-shallower-ones: A hierarchy of three losses rests on it.
direction-is-linear-in-the-auxiliary-gradient: Gates, clamps and normalisations break it.
what-lies-along-the-ema-adds-nothing: Such a part would reach the main loss, weighed by lam.
scale-of-the-ema-does-not-matter: The length of the EMA varies over a run; only its line counts.
direction-follows-the-raw-main-gradient: With the EMA in front, the method has momentum.
direction-is-linear-in-lam: Figures over lam compare nothing if lam means something else.
direction-does-not-depend-on-rho: It does as soon as the EMA is updated before the projection.
new-ema-depends-on-main-gradients-only: An EMA of anything else no longer tells the main loss.
splitting-into-leaves-does-not-matter: A projection leaf by leaf is another method.
permutation-of-the-parameters-carries-over: Names and order of parameters mean nothing.
rotation-carries-over: It breaks where anything but inner products is used, such as a mask.
projecting-on-noise-keeps-all-but-one-part-in-p: It says why an average is needed at all.
section-3-3-reaches-its-solution-for-every-lam: The paper's example in which mixed training fails.
quadratic-problems-end-near-the-constrained-minimum: It is the problem that the method is for.
small-directions-mean-first-order-points: Otherwise a run stops where nothing is solved.
every-link-of-theorem-2-holds: It tells which inequality of the convergence proof fails.
errors-fall-with-the-steps-as-theorem-2-proves: A wrong average stops at an error that stays.
radius-shrinks-with-the-step-as-theorem-2-proves: A wrong average leaves a radius that stays.
powers-of-two-carry-over-bit-for-bit: A constant that is hidden in a formula has a scale.
power-of-two-on-the-ema-changes-no-bit: An epsilon beside ||e||^2 shows here first.
tiny-and-huge-gradients-are-projected-alike: Squares overflow or vanish before gradients do.
no-epsilon-is-added-to-a-small-ema: Late in training gradients are small and an epsilon is not.
nearly-parallel-gradients-are-projected: Cancellation leaves noise where little is left.
half-precision-gradients-do-not-overflow: An inner product in float16 is infinite beyond 65504.
float32-ema-of-half-gradients-keeps-moving: Rounded to half precision, small updates are lost.
every-leaf-keeps-its-own-dtype: A promoted leaf doubles memory; a demoted one loses digits.
complex-leaves-use-the-real-inner-product: Without the conjugate ||e||^2 may be 0 or negative.
float16-average-of-large-entries-does-not-overflow: One infinite entry stays in the EMA for ever.
long-gradients-count-to-the-last-entry: Models have millions of entries; sums may drop some.
large-models-count-to-the-last-entry: Kernels have blocks and limits that small models never reach.
bad-main-gradient-shows-in-the-direction: A hidden NaN is a run that goes wrong silently.
bad-auxiliary-gradient-shows-in-the-direction-only: A NaN in the EMA stays there for ever.
inputs-are-not-written: The caller's gradients are used again, for logs or for clipping.
outputs-are-new-arrays: An optimiser that works in place would change the EMA.
leaves-are-never-broadcast: A (2,) and a (2, 1) give a (2, 2), and no error.
empty-and-zero-dimensional-leaves-are-leaves: Real models have scalars, and layers without entries.
layout-in-memory-does-not-matter: Slices and transposes are arrays too; raw memory is not in order.
the-same-inputs-give-the-same-bits: Otherwise no run can be repeated or resumed.
a-later-step-leaves-earlier-outputs-alone: A reused buffer changes what the caller has kept.
direction-is-as-defined: It is the method: every other law of the direction follows from it.
direction-of-more-gradients-is-as-defined: Loops over several losses go wrong from the third on.
without-weight-d-is-the-main-gradient: A run with lam = 0 is the baseline.
direction-is-linear-in-the-weight: Figures over lam compare nothing if lam means something else.
common-scale-carries-over: A loss in other units must give the same path.
permutation-and-signs-of-the-entries-carry-over: Names, order and signs of parameters mean nothing.
zero-gradients-give-what-they-should: A zero gradient is where 0/0 makes all parameters NaN.
direction-has-the-form-of-the-main-gradient: Broadcasting and promotion raise no error.
not-a-number-is-never-hidden: A hidden NaN is a run that goes wrong silently.
tiny-and-huge-gradients-are-combined-alike: Squares overflow or vanish before gradients do.
gradients-are-not-written: The caller's gradients are used again, for logs or for clipping.
direction-is-a-new-array: An optimiser that works in place would change a gradient.
the-same-steps-give-the-same-bits: Otherwise no run can be repeated or resumed.
protected-loss-never-rises: It is the constraint that the method solves for.
what-has-been-projected-stays: What satisfies the constraint needs no second correction.
direction-is-no-longer-than-the-main-gradient: What is longer adds something.
scale-of-the-auxiliary-gradient-does-not-matter: Only its line bounds the direction.
opposed-gradients-give-what-they-should: Full conflict is where methods differ most.
main-loss-falls-by-the-barrier-or-more: The barrier is what the method promises the main loss.
in-conflict-it-is-full-batch-bloop: It ties the method to the one that it is compared with.
every-loss-falls-by-the-square-of-d: A common descent direction is the promise.
no-point-of-the-hull-is-shorter: A longer point favours one of the losses.
exchanging-two-gradients-changes-nothing: The method has no main loss.
opposing-gradients-are-left-out: The gate is the method.
main-loss-falls-as-under-its-own-gradient-or-faster: It is what the gate promises the main loss.
orthogonal-gradients-are-a-tie: With sparse gradients a cosine of exactly 0 is common.
first-step-is-pcgrad: It tells a wrong start of the targets from a wrong lift.
cosines-below-the-target-are-lifted-to-it: It is the method, said without its formula.
aligned-gradients-raise-the-target: A target that never moves is PCGrad.
scale-of-one-loss-scales-its-own-part: Only directions decide on conflicts.
state-keeps-what-it-saw: A state that refers to arrays of the caller changes with them.
two-gradients-are-projected-off-each-other: With two losses no order matters.
neither-of-two-losses-rises: It is what projecting off each other is for.
no-gradient-is-projected-off-itself: That would remove a gradient altogether.
first-ratio-is-that-of-the-norms: Averages that are not corrected start with a wrong ratio.
without-relaxation-gradients-are-added: It tells which end of the range r = 0 is.
full-relaxation-gives-both-the-main-norm: It tells which end of the range r = 1 is.
constant-gradients-give-a-constant-direction: The start of an average must leave no trace.
distance-from-the-mean-is-c-times-its-norm: The radius is what c means.
worst-off-loss-falls-as-fast-as-can-be: It is the problem that the method solves.
unlike-gradients-are-equalised: One of the two branches, by itself.
first-momentum-is-the-gradient: Averages that are not corrected start too small.
constant-gradients-are-their-own-momentum: The start of an average must leave no trace.
modulated-direction-is-of-degree-two: It tells the modulated branch from the equalised one.
momentum-turns-no-sign: Momentum modulates the length of a gradient's entries only.
threshold-decides-between-the-branches: A run on the wrong side of gamma is another method.
what-is-taken-out-of-x-along-e-is-the-held-gradients: The main gradient in x must stay.
where-the-held-gradient-is-right-it-is-bloop: The extension must cost nothing where A is right.
"""

REASONS = dict(line.split(": ", 1) for line in TEXT.strip().splitlines())
"""One sentence by the name of each law of any method."""
