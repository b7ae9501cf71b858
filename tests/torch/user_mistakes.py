"""What users do wrong: each with what is raised, and what it says."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp._common_utils import _set_fsdp_flattened

from bloop_ref.surgery import MetaBalance
from bloop_torch import Bloop
from tests.torch.models import two_losses

LAM, RHO = 0.5, 0.25


MISTAKES: dict[str, tuple[Callable[[Any], object], type[Exception], str]] = {}


def mistake(kind: type[Exception], message: str) -> Callable[[Any], Any]:
    """Put a function into the table: what the user does, what is raised, and what it says."""

    def added(does: Callable[[Any], object]) -> Callable[[Any], object]:
        MISTAKES[does.__name__] = does, kind, message
        return does

    return added


SHOWN_BY_ONE_UPDATE = {"a_new_head_that_nobody_clears", "a_parameter_is_resized"}


@mistake(TypeError, r"params must be model\.parameters\(\).*; found TwoLosses")
def the_model_itself(user: Any) -> None:
    Bloop(user.model, lam=LAM, rho=RHO)


@mistake(TypeError, r"params must be model\.parameters\(\).*; found OrderedDict")
def a_state_dict_for_parameters(user: Any) -> None:
    Bloop(user.model.state_dict(), lam=LAM, rho=RHO)


@mistake(TypeError, r"params must not be of FullyShardedDataParallel \(FSDP1\).*fully_shard")
def pieces_of_fsdp1(user: Any) -> None:
    _set_fsdp_flattened(user.model.trunk.weight)  # as it marks what it has cut
    Bloop(user.model.parameters(), lam=LAM, rho=RHO)


@mistake(ValueError, "params must hold at least one parameter; found none: the generator")
def a_generator_that_was_read_before(user: Any) -> None:
    params = user.model.parameters()
    torch.optim.SGD(params, lr=0.1)
    Bloop(params, lam=LAM, rho=RHO)


@mistake(TypeError, "lam must be a finite number >= 0; found None")
def no_weight(user: Any) -> None:
    Bloop(user.model.parameters(), lam=None, rho=RHO)


@mistake(ValueError, r"rho must be a number in \[0, 1\]; found 20")
def a_number_out_of_range(user: Any) -> None:
    user.bloop.rho = 20


@mistake(AttributeError, "Bloop has no attribute 'lamb' to set; did you mean 'lam'")
def a_misspelt_attribute(user: Any) -> None:
    user.bloop.lamb = 300


@mistake(ValueError, "method must remember what Bloop does.*found MetaBalance. Make a new Bloop")
def another_method_in_the_middle(user: Any) -> None:
    user.bloop.method = MetaBalance()


@mistake(TypeError, "lam is no argument of backward or combine, and no scalar that Bloop takes")
def a_weight_given_to_backward(user: Any) -> None:
    user.bloop.backward(*user.losses(), lam=0.3)


@mistake(ValueError, "losses must be 2; found 1")
def the_sum_of_the_losses(user: Any) -> None:
    user.bloop.backward(sum(user.losses()))


@mistake(
    TypeError, r"losses\[1\] must be a scalar tensor, or None for a step without it; found 0\.5"
)
def a_number_for_a_loss(user: Any) -> None:
    user.bloop.backward(user.losses()[0], 0.5)


@mistake(TypeError, r"losses\[0\] must be a scalar tensor; only auxiliary losses can be left out")
def no_main_loss(user: Any) -> None:
    user.bloop.backward(None, user.losses()[1])


@mistake(ValueError, r"losses\[1\] must be a scalar: take its mean or sum; found shape \(2,\)")
def a_loss_for_each_example(user: Any) -> None:
    main, aux = user.losses()
    user.bloop.backward(main, torch.stack([aux, aux]))


@mistake(ValueError, r"losses\[1\] must have been computed from the parameters.*detached")
def a_detached_loss(user: Any) -> None:
    main, aux = user.losses()
    user.bloop.backward(main, aux.detach())


@mistake(RuntimeError, r"aux_gradient\(\) has gathered no gradient: no backward pass in it reached")
def an_auxiliary_loss_of_other_parameters(user: Any) -> None:
    other = nn.Parameter(torch.ones(2))
    user.bloop.backward(user.losses()[0], other.sum())


@mistake(RuntimeError, r"main_gradient\(\) has gathered no gradient.*that the losses train")
def the_parameters_of_another_model(user: Any) -> None:
    Bloop(two_losses().parameters(), lam=LAM, rho=RHO).backward(*user.losses())


@mistake(RuntimeError, r"(?s)graph of the losses is gone.*shared_graph=True.*\nin aux_gradient\(\)")
def a_shared_graph_is_not_kept(user: Any) -> None:
    user.bloop.backward(*user.losses(), shared_graph=False)


@mistake(RuntimeError, r"(?s)second time.*\n.*retain_graph=True")
def a_shared_graph_is_not_retained(user: Any) -> None:
    main, aux = user.losses()
    with user.bloop.main_gradient():
        main.backward()
    with user.bloop.aux_gradient():
        aux.backward()


@mistake(ValueError, r"losses\[0\] must not be scaled where scaler= is given, which scales it")
def losses_are_scaled_twice(user: Any) -> None:
    main, aux = map(user.scaler.scale, user.losses())
    user.bloop.backward(main / 2, aux / 2, scaler=user.scaler)


@mistake(ValueError, "scaler must be the same in accumulate and backward or combine")
def the_scaler_is_forgotten_at_the_end(user: Any) -> None:
    user.bloop.accumulate(*user.losses(), scaler=user.scaler)
    user.bloop.combine()


@mistake(ValueError, r"scaler has not scaled any loss yet: .* scaler\.scale\(loss\)\.backward\(\)")
def losses_of_the_phases_are_not_scaled(user: Any) -> None:
    user.bloop.accumulate(*user.losses())
    user.bloop.combine(scaler=user.scaler)


@mistake(RuntimeError, r"(?s)still in \.grad.*optimizer\.step\(\).*zero_grad\(\).*or accumulate")
def backward_for_every_micro_batch(user: Any) -> None:
    for _ in range(2):
        user.bloop.backward(*user.losses())
    user.optimizer.step()


@mistake(
    RuntimeError, r"params does not hold, optimizer\.param_groups\[1\]\['params'\]\[0\] the first"
)
def a_new_head_that_nobody_clears(user: Any) -> None:
    head = nn.Parameter(torch.ones(2))
    user.optimizer.add_param_group({"params": [head]})
    for _ in range(3):
        main, aux = user.losses()
        user.bloop.backward(main + head.sum(), aux)
        user.optimizer.step()


@mistake(
    RuntimeError, r"aux_gradient\(\) must not be within main_gradient\(\): phases are not nested"
)
def a_phase_within_a_phase(user: Any) -> None:
    with user.bloop.main_gradient(), user.bloop.aux_gradient():
        user.losses()[0].backward()


@mistake(RuntimeError, r"combine\(\) must not be within main_gradient\(\)")
def combine_within_a_phase(user: Any) -> None:
    with user.bloop.main_gradient():
        user.losses()[0].backward()
        user.bloop.combine()


@mistake(
    RuntimeError, r"main_gradient\(\) has not been entered.*What lies in \.grad was computed out"
)
def a_backward_pass_outside_of_the_phases(user: Any) -> None:
    user.losses()[0].backward()
    user.bloop.combine()


@mistake(
    RuntimeError, r"An exception left main_gradient\(\), and what had been gathered was dropped"
)
def combine_after_a_failed_backward_pass(user: Any) -> None:
    try:
        with user.bloop.main_gradient():
            raise MemoryError
    except MemoryError:
        user.bloop.combine()


@mistake(FloatingPointError, r"^aux_gradient\(\) must be finite; found NaN or infinity")
def a_loss_that_is_not_finite(user: Any) -> None:
    bloop = Bloop(user.model.named_parameters(), lam=LAM, rho=RHO, nonfinite="raise")
    main, aux = user.losses()
    bloop.backward(main, aux * torch.nan)


@mistake(TypeError, "L-BFGS cannot step on parameters that Bloop gives the direction of")
def an_optimiser_with_a_line_search(user: Any) -> None:
    user.bloop.backward(*user.losses())
    torch.optim.LBFGS(user.model.parameters()).step(user.losses)


@mistake(RuntimeError, "state_dict must be taken between steps; combine is due")
def a_checkpoint_between_micro_batches(user: Any) -> None:
    user.bloop.accumulate(*user.losses())
    user.bloop.state_dict()


@mistake(
    ValueError, r"parameter 'trunk.bias' must stay as it was.*\(4,\) on cpu; found \(5,\) on cpu"
)
def a_parameter_is_resized(user: Any) -> None:
    user.bloop.backward(*user.losses())
    user.optimizer.step()
    bias = user.model.trunk.bias
    bias.data = torch.zeros(5)
    user.bloop.backward(bias.sum(), bias.sum())
