"""Launch without a record: what is broken off cannot be found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.instance import Launch
from contracts.work import Work


class Unkept:
    """The record of launches where there is no database: EC2's tags and deadlines must do."""

    def kept(self, work: Work) -> Launch | None:  # noqa: ARG002 - the form of Launches
        return None

    def intend(self, works: Sequence[Work], launch: Launch) -> None:
        pass

    def answered(self, client_token: str, instance_ids: Mapping[int, str]) -> dict[int, str]:  # noqa: ARG002
        return dict(instance_ids)

    def note_own_key(self, work: Work, instance_id: str, own_key: str) -> None:
        pass
