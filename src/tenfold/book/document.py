"""YAML as its writers mean it: `null` may be a key, 1e-3 is a number, a key written twice is an error."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tenfold.errors import InputError

# libyaml's parser is eight times as fast, where PyYAML was built with it.
_Safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """The safe loader without three traps of YAML 1.1."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key '{twice[0]}' is written twice", node.start_mark
            )
        mapping = super().construct_mapping(node, deep)
        return {"null" if key is None else key: value for key, value in mapping.items()}


# YAML 1.1 takes a number with an exponent but without a point for a text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def document(text: str, name: str) -> Any:
    """Return what a YAML text says; a text that is no YAML is an `InputError` that names file and line."""
    try:
        # _Loader is a SafeLoader: it builds plain values and nothing else.
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}, line {mark.line + 1}" if mark else name
        raise InputError(f"{place}: {getattr(error, 'problem', None) or error}") from None
