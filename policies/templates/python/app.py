"""The side of the contract in wit/policy.wit: it keeps what the host loaded.

What is decided, and how, is in policy.py. `wit_world` is made of the contract by
componentize-py, and is there only in the component; policy.py is tested without it.
"""

from componentize_py_types import Err
from wit_world.imports import types

import policy

# What the host has loaded so far. Memory is a cache: an instance may be replaced at any time.
_settings: policy.Settings | None = None
_models: list[types.Model] = []


class Lifecycle:
    def describe(self) -> types.Descriptor:
        return types.Descriptor(
            name="{{name}}",
            version="0.1.0",
            summary="The requested model, then the preferred ones, then the others; resting ones last.",
            settings_schema=policy.SCHEMA,
            reasons=[types.Reason(code=code, text=text) for code, text in policy.REASONS.items()],
        )

    def configure(self, settings_json: str) -> None:
        global _settings
        read, errors = policy.parse_settings(settings_json)
        if errors:
            raise Err([types.SettingError(pointer=pointer, message=message) for pointer, message in errors])
        _settings = read

    def load_catalog(self, epoch: int, models: list[types.Model]) -> types.View:
        global _models
        if _settings is None:
            raise Err("call `configure` first")
        _models = models
        visible, hidden = policy.view(_settings, models)
        return types.View(visible=visible, hidden=[types.Drop(model=model, why=why) for model, why in hidden])


class Selector:
    def select(self, request: types.Request, candidates: list[int], facts: list[types.Fact]) -> types.Decision:
        if _settings is None:
            raise Err("call `configure` first")
        asked = request.target.value if isinstance(request.target, types.Target_Model) else None
        order, dropped = policy.decide(_settings, _models, asked, request.limit, candidates, facts)
        if not order:
            # No opinion: the host goes by the order of the view.
            return types.Decision_Abstain()
        picks = [types.Pick(model=model, why=why, score=1 / (1 + place)) for place, (model, why) in enumerate(order)]
        drops = [types.Drop(model=model, why=why) for model, why in dropped] if request.explain else []
        return types.Decision_Route(types.Route(order=picks, dropped=drops))
