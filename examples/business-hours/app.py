"""The thin side of the contract in wit/policy.wit.

It keeps what the host loaded, and hands each call to a pure function. Read next:
settings.py (what an operator may set), hours.py (what time it is, who is tried).
`wit_world` is made of the contract by componentize-py, and is there only in the
component; everything else runs, and is tested, without it.
"""

from componentize_py_types import Err
from wit_world.imports import types

import hours
import settings as options

_settings: options.Settings | None = None
_models: list[types.Model] | None = None


class Lifecycle:
    def describe(self) -> types.Descriptor:
        return types.Descriptor(
            name="business-hours",
            version="0.1.0",
            summary="Large models within business hours and fast ones outside, or the other way.",
            settings_schema=options.SCHEMA,
            reasons=[types.Reason(code=reason.code, text=reason.text) for reason in hours.REASONS],
        )

    def configure(self, settings_json: str) -> None:
        global _settings, _models
        read, errors = options.parse(settings_json)
        if errors:
            raise Err([types.SettingError(pointer=pointer, message=message) for pointer, message in errors])
        _settings, _models = read, None

    def load_catalog(self, epoch: int, models: list[types.Model]) -> types.View:
        global _models
        if _settings is None:
            raise Err("load a catalogue without settings: call `configure` first")
        _models = models
        visible, hidden = hours.view(_settings, models)
        return types.View(visible=visible, hidden=[types.Drop(model=model, why=why.code) for model, why in hidden])


class Selector:
    def select(self, request: types.Request, candidates: list[int], facts: list[types.Fact]) -> types.Decision:
        if _settings is None or _models is None:
            raise Err("select without a catalogue: call `load-catalog` first")
        asked = request.target.value if isinstance(request.target, types.Target_Model) else None
        order, dropped = hours.rank(_settings, _models, request, asked, candidates, facts)
        if not candidates:
            return types.Decision_Abstain()
        if not order:
            return types.Decision_Deny(types.Denial(*hours.DENIAL))
        return types.Decision_Route(
            types.Route(
                order=[
                    types.Pick(model=model, why=why.code, score=1 / (1 + place))
                    for place, (model, why) in enumerate(order)
                ],
                dropped=[types.Drop(model=model, why=why.code) for model, why in dropped] if request.explain else [],
            )
        )
