"""What one account's evidence and refusals have come to: the six rules by which a newer statement meets an older."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

from codex_pooler.quota.facts import USAGE, Credits, ModelGate, Observation, Reached, Spend, Verdict
from codex_pooler.quota.precedence import NO_NEWS_SECONDS, contradicts, is_no_news, may_replace
from codex_pooler.quota.refusals import (
    FAMILY,
    LOGIN,
    MODEL,
    MOST_MODELS,
    PLAN,
    RATE,
    USAGE_LIMITED,
    Block,
    Refusal,
    block_after,
    model_key,
)
from codex_pooler.quota.windows import ACCOUNT, DAY, SPARK, SPARK_MODEL, SPEND, Window, same_reset

LAG_SECONDS = 30.0  # for so long after a refusal the usage endpoint may still tell of the time before it
AFTERWARDS_SECONDS = 1.0  # evidence within this of a refusal came with it and cannot contradict it
SUPERSEDED_SECONDS = 900.0  # a window is forgotten when its siblings were seen so much later without it
MOST_WINDOWS = 64


@dataclass(slots=True)
class Record:
    """The memory of one account.  ``unsaved_*`` names what the database does not know yet."""

    windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    credits: Credits | None = None
    spend: Spend | None = None
    gates: dict[str, ModelGate] = field(default_factory=dict)
    gates_seen_at: float = 0.0
    reached: Reached | None = None
    plan_type: str | None = None
    saved_resets: int | None = None
    observed_at: float = 0.0  # of the newest evidence; 0 when there never was any
    blocks: dict[str, Block] = field(default_factory=dict)
    served_at: float = 0.0
    limited_at: float = 0.0  # when a plan's limit was last refused
    unsaved_windows: set[tuple[str, str]] = field(default_factory=set)
    unsaved_blocks: set[str] = field(default_factory=set)
    unsaved_state: bool = False

    @property
    def is_unknown(self) -> bool:
        """Neither evidence nor a served turn."""
        return not (self.observed_at or self.served_at)

    def family_of(self, model: str) -> str:
        """The limit family that a model's turns are counted in."""
        if model == SPARK_MODEL:
            return SPARK
        return next((window.limit_key for window in self.windows.values() if window.model == model), ACCOUNT)

    def windows_of(self, limit_key: str) -> list[Window]:
        """A family's windows, without those that the backend has stopped reporting."""
        family = [window for window in self.windows.values() if window.limit_key == limit_key]
        newest = max((window.observed_at for window in family), default=0.0)
        return [window for window in family if window.observed_at > newest - SUPERSEDED_SECONDS]

    def shown_windows(self) -> list[Window]:
        """Every family's windows, without those that the backend has stopped reporting."""
        families = dict.fromkeys(window.limit_key for window in self.windows.values())
        return [window for limit_key in families for window in self.windows_of(limit_key)]

    def observe(self, seen: Observation, now: float) -> bool:
        """Take in evidence; True when something changed."""
        if self._lags_behind(seen):
            return False
        changed = [self._take_window(window, now) for window in seen.windows]
        changed.append(self._take_state(seen, now))
        changed.append(self._lift_contradicted(seen))
        return any(changed)

    def _lags_behind(self, seen: Observation) -> bool:
        """Right after a refusal the usage endpoint may still answer with an empty window and the old reset."""
        if seen.source != USAGE:
            return False
        return any(
            block.reason == USAGE_LIMITED
            and block.until > seen.observed_at
            and block.set_at <= seen.observed_at <= block.set_at + LAG_SECONDS
            and any(self._is_unmoved(window) for window in seen.windows_of(limit_key))
            for limit_key, block in self.blocks.items()
        )

    def _is_unmoved(self, window: Window) -> bool:
        stored = self.windows.get((window.limit_key, window.kind))
        return stored is not None and window.used_percent == 0 and same_reset(window.reset_at, stored.reset_at)

    def _take_window(self, window: Window, now: float) -> bool:
        place = window.limit_key, window.kind
        stored = self.windows.get(place)
        if stored is None:
            if len(self.windows) >= MOST_WINDOWS:
                return False
        elif not may_replace(window, stored, now):
            return False
        elif window.reset_at is None and stored.reset_at is not None and stored.reset_at > now:
            window = replace(window, reset_at=stored.reset_at)
        if stored and window.says_the_same(stored) and window.observed_at - stored.observed_at < NO_NEWS_SECONDS:
            return False
        self.windows[place] = window
        self.unsaved_windows.add(place)
        return True

    def _take_state(self, seen: Observation, now: float) -> bool:
        changed = [self._take_plan(seen), self._take_gates(seen, now), self._take_verdicts(seen, now)]
        for name in ("credits", "spend", "reached"):
            changed.append(self._take_part(name, seen, now))
        changed.append(self.observed_at == 0.0)
        self.observed_at = max(min(self.observed_at, now), seen.observed_at)
        if any(changed):
            self.unsaved_state = True
        return any(changed)

    def _take_part(self, name: str, seen: Observation, now: float) -> bool:
        new, old = getattr(seen, name), getattr(self, name)
        if new is None or (old is not None and not may_replace(new, old, now)):
            return False
        if name == "credits" and new.overage_reached is None and old is not None:  # heads and events never tell it
            new = replace(new, overage_reached=old.overage_reached)
        if old is not None and is_no_news(new, old):
            return False
        setattr(self, name, new)
        return True

    def _take_plan(self, seen: Observation) -> bool:
        changed = False
        if seen.plan_type and seen.plan_type != self.plan_type and seen.observed_at >= self.observed_at:
            if self.plan_type is not None:
                self._lift(PLAN, seen.observed_at)  # what another plan did not include, this one may
            changed, self.plan_type = True, seen.plan_type
        if seen.saved_resets is not None and seen.saved_resets != self.saved_resets:
            changed, self.saved_resets = True, seen.saved_resets
        return changed

    def _take_gates(self, seen: Observation, now: float) -> bool:
        if seen.gates is None or seen.observed_at < min(self.gates_seen_at, now):
            return False
        new = {gate.model: gate for gate in seen.gates}
        same = new.keys() == self.gates.keys() and all(is_no_news(new[model], self.gates[model]) for model in new)
        self.gates_seen_at = seen.observed_at
        if same:
            return False
        self.gates = new
        return True

    def _take_verdicts(self, seen: Observation, now: float) -> bool:
        changed = False
        for verdict in seen.verdicts:
            old = self.verdicts.get(verdict.limit_key)
            if old is None or (may_replace(verdict, old, now) and not is_no_news(verdict, old)):
                self.verdicts[verdict.limit_key] = verdict
                changed = True
        for limit_key, old in list(self.verdicts.items()):
            if old.refuses and contradicts(seen, limit_key, old.observed_at):
                self.verdicts[limit_key] = Verdict(limit_key, None, False, seen.observed_at)
                changed = True
        return changed

    def _lift_contradicted(self, seen: Observation) -> bool:
        """A newer statement that a limit has room again ends what an older refusal said, however long it still ran."""
        grace = LAG_SECONDS if seen.source == USAGE else AFTERWARDS_SECONDS
        lifted = [
            self._lift(limit_key, seen.observed_at)
            for limit_key, block in list(self.blocks.items())
            if contradicts(seen, limit_key, block.set_at + grace)
        ]
        return any(lifted)

    def refuse(self, refusal: Refusal, now: float) -> None:
        """Block the limit that a refusal speaks of."""
        limit_key = self._blocked_key(refusal)
        horizon = (32 if self.spend or any(w.minutes > 10_584 for w in self.windows.values()) else 8) * DAY
        self.blocks[limit_key] = block_after(refusal, self.blocks.get(limit_key), now, horizon)
        self.unsaved_blocks.add(limit_key)
        if refusal.reason == USAGE_LIMITED:
            self.limited_at = now
        self._forget_old_models()

    def _blocked_key(self, refusal: Refusal) -> str:
        turn_bound = {FAMILY: self.family_of, MODEL: model_key}.get(refusal.rule.scope)
        return turn_bound(refusal.model[:128]) if turn_bound else refusal.rule.scope

    def _forget_old_models(self) -> None:
        models = [limit_key for limit_key in self.blocks if limit_key.startswith(f"{MODEL}:")]
        for limit_key in models[:-MOST_MODELS]:
            del self.blocks[limit_key]

    def serve(self, model: str, now: float) -> bool:
        """A turn succeeded: what was only assumed, or passes by itself, is over.  True when something changed."""
        changed = self.is_unknown
        self.served_at = now
        if not self.blocks:
            return changed
        lifted = [self._lift(limit_key, now) for limit_key in (RATE, LOGIN, PLAN, model_key(model))]
        for limit_key in (SPEND, self.family_of(model)):
            block = self.blocks.get(limit_key)
            if block and not block.announced:
                lifted.append(self._lift(limit_key, now))
        return changed or any(lifted)

    def relogin(self, now: float) -> bool:
        """New credentials: their refusal is forgotten."""
        return self._lift(LOGIN, now)

    def renewed(self, now: float) -> bool:
        """The account's windows were started anew before their time: what was refused before that is forgotten."""
        return self._lift(ACCOUNT, now)

    def _lift(self, limit_key: str, now: float) -> bool:
        block = self.blocks.get(limit_key)
        if block is None:
            return False
        if block.until <= now:
            del self.blocks[limit_key]
            return False
        lifted_at = max(now, block.set_at)
        self.blocks[limit_key] = Block(block.reason, lifted_at, lifted_at, block.source)
        self.unsaved_blocks.add(limit_key)
        return True

    def shift(self, seconds: float) -> None:
        """The wall clock was set by so much: every time known moves along, so that nothing ends early or late."""
        self.windows = {place: _shifted(window, seconds) for place, window in self.windows.items()}
        self.verdicts = {limit_key: _shifted(verdict, seconds) for limit_key, verdict in self.verdicts.items()}
        self.gates = {model: _shifted(gate, seconds) for model, gate in self.gates.items()}
        self.blocks = {limit_key: _shifted(block, seconds) for limit_key, block in self.blocks.items()}
        self.credits = self.credits and _shifted(self.credits, seconds)
        self.spend = self.spend and _shifted(self.spend, seconds)
        self.reached = self.reached and _shifted(self.reached, seconds)
        for name in ("gates_seen_at", "observed_at", "served_at", "limited_at"):
            if was := getattr(self, name):
                setattr(self, name, was + seconds)
        self.unsaved_windows, self.unsaved_blocks, self.unsaved_state = set(self.windows), set(self.blocks), True


INSTANTS = frozenset({"observed_at", "reset_at", "until", "set_at", "available_at"})
S = TypeVar("S", Window, Verdict, ModelGate, Block, Credits, Spend, Reached)


def _shifted(value: S, seconds: float) -> S:
    times = {name.name: getattr(value, name.name) for name in fields(value) if name.name in INSTANTS}
    return replace(value, **{name: moment + seconds for name, moment in times.items() if moment is not None})
