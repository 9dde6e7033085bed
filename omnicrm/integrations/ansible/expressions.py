"""Which names a template or a condition of a play reads: its Jinja syntax tree, never its evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes

from omnicrm.domain.provisioning.playnames import Reading

_ENVIRONMENT = Environment(autoescape=False)  # nothing is rendered
_GUARDING_FILTERS = frozenset({"default", "d"})
_GUARDING_TESTS = frozenset({"defined", "undefined"})


def read_expression(text: str, condition: bool) -> Reading:
    """Read `text`; a `condition` (`when`, `that`, …) is an expression as a whole, other texts hold `{{ … }}`."""
    source = "{{ (" + text + ") }}" if condition and "{{" not in text else text
    try:
        tree = _ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        return Reading(error=str(error.message))
    guarded = frozenset(name for name in map(_base, _guarded(tree)) if name)
    set_here = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    names = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"} - set_here
    chosen, wanted = set(), set()
    for item in tree.find_all(nodes.Getitem):
        if _base(item.node) == "hostvars" and isinstance(item.node, nodes.Getitem):
            chosen.add(_text(item.arg))
    for comparison in tree.find_all(nodes.Compare):
        for operand in comparison.ops:
            if _base(operand.expr) == "hostvars":
                wanted.add(_text(comparison.expr))
    return Reading(frozenset(names), guarded & names, frozenset((chosen | wanted) - {""}))


def _guarded(tree: nodes.Node) -> Iterator[nodes.Node]:
    for found in tree.find_all(nodes.Filter):
        if found.name in _GUARDING_FILTERS and found.node is not None:
            yield found.node
    for test in tree.find_all(nodes.Test):
        if test.name in _GUARDING_TESTS:
            yield test.node


def _base(node: nodes.Node | None) -> str:
    """The name at the start of `a.b['c'] | filter`."""
    while isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Filter):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else ""


def _text(node: nodes.Node) -> str:
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else ""
