"""Policies by name, their names, and what is refused."""

from graflow.core.handlers.group_policy import (
    POLICY_REGISTRY,
    AtLeastNGroupPolicy,
    BestEffortGroupPolicy,
    CriticalGroupPolicy,
    StrictGroupPolicy,
    canonicalize_group_policy,
    resolve_group_policy,
)

policies = [StrictGroupPolicy(), BestEffortGroupPolicy(), CriticalGroupPolicy(["x"]), AtLeastNGroupPolicy(2)]
print(sorted(POLICY_REGISTRY), [p.get_name() for p in policies])
print([canonicalize_group_policy(p) for p in policies], canonicalize_group_policy("strict"))
print([type(resolve_group_policy(canonicalize_group_policy(p))).__name__ for p in policies])
print(type(resolve_group_policy("STRICT")).__name__)
for wrong in ("sloppy", {"type": "sloppy"}, {"kind": "strict"}, {"type": "critical"}, {"type": "at_least_n"}):
    try:
        resolve_group_policy(wrong)
    except ValueError as error:
        print(error)
for wrong in (5, None):
    for function in (resolve_group_policy, canonicalize_group_policy):
        try:
            function(wrong)
        except TypeError as error:
            print(error)
