"""Is there an order of moments, one or a few for each operation, in which all answers are right?

The history is replayed: whenever an answer came, every order of the operations that were under way is tried until that
one is done, and what cannot have been is dropped. Operations that have no effect are done as soon as they can be, for
that takes nothing from the others. When nothing is left, there is no such order.
"""

import catalog

CONFIGURATIONS = 100000


class Wrong(Exception):
    """An answer that no order explains."""


class Configuration:
    """A state, and how far each operation under way has come: index -> stage; done ones are not in it."""

    def __init__(self, state, under_way):
        self.state, self.under_way = state, under_way
        self.key = (frozenset(state.items()), frozenset(under_way.items()))

    def __eq__(self, other):
        return self.key == other.key

    def __hash__(self):
        return hash(self.key)


def pure(op, stage):
    return op.kind not in catalog.CHANGES or catalog.found(op) or (stage is None and not op.ok and not op.lost)


def absorb(configuration, ops):
    """With all done that has no effect and is right now."""
    left = dict(configuration.under_way)
    for index, stage in configuration.under_way.items():
        while index in left and pure(ops[index], stage):
            after = catalog.steps(configuration.state, ops[index], left[index])
            if not after:
                break
            left[index] = after[0][1]
            if left[index] == catalog.DONE:
                del left[index]
    return configuration if left == configuration.under_way else Configuration(configuration.state, left)


def followers(configuration, ops):
    for index, stage in configuration.under_way.items():
        if pure(ops[index], stage):
            continue
        for state, after in catalog.steps(configuration.state, ops[index], stage):
            under_way = dict(configuration.under_way)
            if after == catalog.DONE:
                del under_way[index]
            else:
                under_way[index] = after
            yield absorb(Configuration(state, under_way), ops)


def explore(configurations, ops, wanted):
    """All that can be reached; those that `wanted` lets through are kept and not followed further."""
    found, seen, todo = set(), set(configurations), list(configurations)
    while todo:
        configuration = todo.pop()
        if wanted(configuration):
            found.add(configuration)
            continue
        for follower in followers(configuration, ops):
            if follower not in seen:
                seen.add(follower)
                todo.append(follower)
        if len(seen) > CONFIGURATIONS:
            raise Wrong("too many orders to try: shorter eras are needed")
    return found


def events(ops):
    times = [(op.inv, "begin", index) for index, op in enumerate(ops)]
    times += [(op.ret, "end", index) for index, op in enumerate(ops) if not op.lost]
    return sorted(times)


def explain(op, configurations, ops):
    shown = ["no order explains " + repr(op), f"  which says {op.body}"]
    for configuration in list(configurations)[:3]:
        shown.append("  before it, under way: " + str([ops[index] for index in configuration.under_way]))
        shown += [f"    {image} {row}" for image, row in configuration.state.items()]
    return "\n".join(shown)


def search(states, ops, final):
    """The states in which what began in one of `states` may have ended. `final` makes a state of a configuration at
    the end, or None when it cannot have ended so."""
    configurations = {Configuration(state, {}) for state in states}
    for _, what, index in events(ops):
        if what == "begin":
            configurations = {absorb(Configuration(c.state, {**c.under_way, index: None}), ops)
                              for c in configurations}
            continue
        reached = explore(configurations, ops, lambda c, index=index: index not in c.under_way)
        if not reached:
            raise Wrong(explain(ops[index], configurations, ops))
        configurations = reached
    ends = []
    explore(configurations, ops, lambda c: ends.append(c) and False)
    found = {frozenset(state.items()): state for state in map(final, ends) if state is not None}
    if not found:
        raise Wrong("no order ends in what is there now")
    return list(found.values())
